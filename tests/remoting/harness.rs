//! A port with a scripted service, and a peer that speaks bytes.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use mqcontainer::dispatch::{Admission, Dispatch, Opened, not_supported};
use mqcontainer::env::Tasks;
use mqcontainer::protocol::command::{Body, Command, FLAG_ONEWAY, Serialization};
use mqcontainer::protocol::frame;
use mqcontainer::remoting::{Connection, Counters, Limits, Request, Service, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest wait for anything that must happen; never a measure of speed.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Answered at once with the request's fields and body.
pub const ECHO: i32 = 9001;
/// Kept until the test answers it.
pub const HOLD: i32 = 9002;
/// Its slot is dropped.
pub const DROP: i32 = 9003;
/// Answered at once with as many bytes as the field `bytes` says.
pub const BLOB: i32 = 9004;
/// SEND_MESSAGE_V2; kept like `HOLD`.
pub const SEND: i32 = 310;
/// The service panics.
pub const PANIC: i32 = 9005;

#[derive(Default)]
pub struct Script {
    pub held: Mutex<Vec<Request>>,
    pub connections: Mutex<Vec<Connection>>,
    pub oneways: AtomicUsize,
    pub closed: AtomicUsize,
}

impl Service for Script {
    fn request(&self, request: Request) {
        let Request { command, reply, connection } = request;
        if command.is_oneway() {
            self.oneways.fetch_add(1, Ordering::SeqCst);
        }
        {
            let mut connections = self.connections.lock().unwrap();
            if connections.iter().all(|known| known.id() != connection.id()) {
                connections.push(connection.clone());
            }
        }
        match command.code {
            ECHO => reply.answer(Command { ext: command.ext, body: command.body, ..Command::default() }),
            HOLD | SEND => self.held.lock().unwrap().push(Request { command, reply, connection }),
            DROP => drop(reply),
            BLOB => {
                let length = command.ext.get("bytes").unwrap().parse().unwrap();
                reply.answer(Command { body: Body::from(vec![b'x'; length]), ..Command::default() });
            }
            PANIC => panic!("asked to panic"),
            other => reply.answer(not_supported(other)),
        }
    }

    fn closed(&self, connection: &Connection) {
        self.closed.fetch_add(1, Ordering::SeqCst);
        self.connections.lock().unwrap().retain(|known| known.id() != connection.id());
    }
}

impl Script {
    pub fn held(&self) -> usize {
        self.held.lock().unwrap().len()
    }

    pub fn release(&self, count: usize) {
        let released: Vec<Request> = {
            let mut held = self.held.lock().unwrap();
            let count = count.min(held.len());
            held.drain(..count).collect()
        };
        for Request { command, reply, .. } in released {
            reply.answer(Command { ext: command.ext, body: command.body, ..Command::default() });
        }
    }

    pub fn only_connection(&self) -> Connection {
        let connections = self.connections.lock().unwrap();
        assert_eq!(connections.len(), 1);
        connections[0].clone()
    }
}

pub struct Server {
    pub script: Arc<Script>,
    pub transport: Arc<Transport>,
    pub dispatch: Dispatch,
    pub opened: Opened,
    pub tasks: Tasks,
}

impl Server {
    pub fn start(limits: Limits) -> Server {
        Server::start_with(limits, None)
    }

    pub fn start_with(limits: Limits, admission: Option<&Arc<Admission>>) -> Server {
        let transport = Transport::new(limits);
        let tasks = Tasks::new();
        let dispatch = Dispatch::new(&transport, &tasks);
        let script = Arc::new(Script::default());
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let opened = dispatch.open(&owner(), any, admission, Arc::clone(&script) as Arc<dyn Service>).unwrap();
        Server { script, transport, dispatch, opened, tasks }
    }

    pub fn address(&self) -> SocketAddr {
        self.opened.address()
    }

    pub fn counters(&self) -> &Counters {
        self.opened.counters()
    }

    pub fn count(&self, of: impl Fn(&Counters) -> &std::sync::atomic::AtomicU64) -> u64 {
        of(self.opened.counters()).load(Ordering::SeqCst)
    }

    pub async fn peer(&self) -> Peer {
        Peer::connect(self.address()).await
    }

    /// A client on a new connection gets its answer.
    pub async fn serves_others(&self) {
        let mut peer = self.peer().await;
        peer.send(&request(ECHO, 77, b"well")).await;
        peer.expect_echo(77, b"well").await;
    }
}

pub fn owner() -> Arc<str> {
    Arc::from("test")
}

pub fn request(code: i32, opaque: i32, body: &[u8]) -> Command {
    Command { code, opaque, version: 1, body: Body::from(body.to_vec()), ..Command::default() }
}

pub fn oneway(code: i32, opaque: i32) -> Command {
    Command { flag: FLAG_ONEWAY, ..request(code, opaque, b"") }
}

pub fn binary(command: Command) -> Command {
    Command { serialization: Serialization::Binary, ..command }
}

pub fn blob(opaque: i32, bytes: usize) -> Command {
    let mut command = request(BLOB, opaque, b"");
    command.ext.set("bytes", bytes);
    command
}

pub fn bytes_of(commands: &[Command]) -> Bytes {
    let mut out = BytesMut::new();
    for command in commands {
        frame::encode(command, &mut out);
    }
    out.freeze()
}

pub struct Peer {
    pub stream: TcpStream,
    buffer: BytesMut,
}

impl Peer {
    pub async fn connect(address: SocketAddr) -> Peer {
        let stream = in_time(TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Peer { stream, buffer: BytesMut::new() }
    }

    pub async fn send(&mut self, command: &Command) {
        self.send_bytes(&frame::encode_to_bytes(command)).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        in_time(self.stream.write_all(bytes)).await.unwrap();
    }

    /// Like `send_bytes`, for peers whose connection may be closed meanwhile.
    pub async fn try_send_bytes(&mut self, bytes: &[u8]) {
        let _ = in_time(self.stream.write_all(bytes)).await;
    }

    /// The next frame; `None` when the server closed the connection.
    pub async fn receive(&mut self) -> Option<Command> {
        loop {
            if let Some(command) = frame::decode(&mut self.buffer).unwrap() {
                return Some(command);
            }
            match in_time(self.stream.read_buf(&mut self.buffer)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    pub async fn expect_echo(&mut self, opaque: i32, body: &[u8]) -> Command {
        let answer = self.receive().await.expect("an answer");
        assert_eq!((answer.opaque, answer.code, answer.is_response()), (opaque, 0, true));
        assert_eq!(answer.body, Body::from(body.to_vec()));
        answer
    }

    pub async fn expect_closed(&mut self) {
        if let Some(command) = self.receive().await {
            panic!("expected the end, got {command:?}");
        }
    }
}

pub async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("nothing happened in time")
}

/// Waits until `condition` holds.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
