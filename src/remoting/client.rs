//! Outgoing connections: one per address, shared by all who call.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;

use super::driver::Driver;
use super::open_set::OpenSet;
use super::request::{Request, Service};
use super::transport::Transport;
use super::{CallError, Connection, Counters};
use crate::env::{Clock, TaskKind, Tasks};
use crate::protocol::command::Command;

/// Java: `connectTimeoutMillis` 3000.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// No new attempt for this long after a failed one; doubles up to the second value.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Addresses that are remembered. They come from configuration and routes, so this is never reached by accident.
const PEERS_MAX: usize = 4096;

/// Calls servers. Cloning is cheap; clones share the connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    owner: Arc<str>,
    transport: Arc<Transport>,
    tasks: Tasks,
    clock: Arc<dyn Clock>,
    service: Arc<dyn Service>,
    counters: Arc<Counters>,
    open: Arc<OpenSet>,
    peers: Mutex<HashMap<String, Arc<Peer>>>,
}

/// One address.
#[derive(Default)]
struct Peer {
    connection: Mutex<Option<Connection>>,
    /// Held while connecting, so that one attempt serves all who wait for it.
    attempt: tokio::sync::Mutex<Attempt>,
}

#[derive(Default)]
struct Attempt {
    failures: u32,
    /// Monotonic time before which no attempt is made.
    not_before: Duration,
    last_error: String,
}

/// Answers no requests: what a server asks for is dropped, which tells it that nobody here does that.
struct NoService;

impl Service for NoService {
    fn request(&self, request: Request) {
        drop(request);
    }

    fn closed(&self, _connection: &Connection) {}
}

impl Client {
    /// A client without connections; it closes idle ones until `tasks` is cancelled, then all of them.
    ///
    /// `service` takes requests that servers send over the same connections (40, 39, 307 ...).
    #[must_use]
    pub fn new(
        owner: &Arc<str>,
        transport: &Arc<Transport>,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
        service: Option<Arc<dyn Service>>,
    ) -> Client {
        let shared = Arc::new(Shared {
            owner: Arc::clone(owner),
            transport: Arc::clone(transport),
            tasks: tasks.clone(),
            clock,
            service: service.unwrap_or_else(|| Arc::new(NoService)),
            counters: Arc::default(),
            open: Arc::default(),
            peers: Mutex::default(),
        });
        tasks.spawn(TaskKind::Outgoing, owner, sweep(Arc::clone(&shared.open), Arc::clone(transport), tasks.clone()));
        Client { shared }
    }

    /// What happens on all its connections.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.shared.counters
    }

    /// Sends a request to `address` ("host:port") and waits for its answer; connects first if it must. `timeout` covers both.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call(&self, address: &str, command: Command, timeout: Duration) -> Result<Command, CallError> {
        if let Some(connection) = self.connected(address) {
            return connection.call(command, timeout).await;
        }
        let began = self.shared.clock.monotonic();
        let connection = self.connect_within(address, timeout).await?;
        let left = timeout.saturating_sub(self.shared.clock.monotonic().saturating_sub(began));
        connection.call(command, left).await
    }

    /// Sends a request that wants no answer; connects first if it must.
    ///
    /// # Errors
    /// When there is no connection or no room; not when the peer loses it.
    pub async fn oneway(&self, address: &str, command: Command) -> Result<(), CallError> {
        let connection = self.connect(address).await?;
        Ok(connection.push(command)?)
    }

    /// The connection to `address`, made now if there is none.
    ///
    /// # Errors
    /// [`CallError::Connect`] when it cannot be made, or could not be made a moment ago.
    pub async fn connect(&self, address: &str) -> Result<Connection, CallError> {
        match self.connected(address) {
            Some(connection) => Ok(connection),
            None => self.connect_within(address, CONNECT_TIMEOUT).await,
        }
    }

    /// Closes the connection to `address`, if there is one; the next call makes a new one.
    pub fn close(&self, address: &str, reason: &'static str) {
        if let Some(connection) = self.connected(address) {
            connection.close(reason);
        }
    }

    fn connected(&self, address: &str) -> Option<Connection> {
        let peer = self.shared.peers.lock().unwrap_or_else(PoisonError::into_inner).get(address).cloned()?;
        peer.connected()
    }

    async fn connect_within(&self, address: &str, timeout: Duration) -> Result<Connection, CallError> {
        match tokio::time::timeout(timeout, self.connect_shared(address)).await {
            Ok(connected) => connected,
            Err(_) => Err(refused(address, format!("no connection within {timeout:?}"))),
        }
    }

    async fn connect_shared(&self, address: &str) -> Result<Connection, CallError> {
        let peer = self.peer(address)?;
        let mut attempt = peer.attempt.lock().await;
        if let Some(connection) = peer.connected() {
            return Ok(connection);
        }
        let now = self.shared.clock.monotonic();
        if now < attempt.not_before {
            let wait = attempt.not_before - now;
            return Err(refused(address, format!("{}; next attempt in {wait:?}", attempt.last_error)));
        }
        let opened = match tokio::time::timeout(CONNECT_TIMEOUT, open(address)).await {
            Ok(opened) => opened.and_then(|(stream, remote)| self.start(stream, remote)),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        match opened {
            Ok(connection) => {
                *attempt = Attempt::default();
                *peer.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.clone());
                Ok(connection)
            }
            Err(error) => {
                attempt.failed(self.shared.clock.monotonic(), &error);
                Err(refused(address, error.to_string()))
            }
        }
    }

    fn peer(&self, address: &str) -> Result<Arc<Peer>, CallError> {
        let mut peers = self.shared.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if !peers.contains_key(address) && peers.len() >= PEERS_MAX {
            peers.retain(|_, peer| peer.connected().is_some());
            if peers.len() >= PEERS_MAX {
                return Err(refused(address, format!("already connected to {PEERS_MAX} addresses")));
            }
        }
        Ok(Arc::clone(peers.entry(address.to_owned()).or_default()))
    }

    fn start(&self, stream: TcpStream, remote: SocketAddr) -> io::Result<Connection> {
        let shared = &self.shared;
        let Some(permit) = shared.transport.admit() else {
            return Err(io::Error::other("too many connections are open in this process"));
        };
        if shared.tasks.is_cancelled() {
            return Err(io::Error::other("this client has stopped"));
        }
        let service = Arc::clone(&shared.service);
        let driver = Driver::new(stream, remote, service, &shared.open, &shared.counters, (&shared.transport, permit))?;
        let connection = driver.connection().clone();
        drop(shared.tasks.spawn(TaskKind::Connection, &shared.owner, driver.run()));
        Ok(connection)
    }
}

impl Peer {
    fn connected(&self) -> Option<Connection> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection.as_ref().filter(|connection| !connection.is_closed()).cloned()
    }
}

impl Attempt {
    fn failed(&mut self, now: Duration, error: &io::Error) {
        let (first, longest) = BACK_OFF;
        let pause = first.saturating_mul(1 << self.failures.min(16)).min(longest);
        self.failures += 1;
        self.not_before = now + pause;
        self.last_error = error.to_string();
    }
}

/// Addresses are tried in the order the resolver gives them.
async fn open(address: &str) -> io::Result<(TcpStream, SocketAddr)> {
    let stream = TcpStream::connect(address).await?;
    let remote = stream.peer_addr()?;
    Ok((stream, remote))
}

async fn sweep(open: Arc<OpenSet>, transport: Arc<Transport>, tasks: Tasks) {
    let mut interval = OpenSet::interval(transport.limits());
    let cancelled = tasks.cancelled();
    tokio::pin!(cancelled);
    loop {
        tokio::select! {
            () = &mut cancelled => break,
            _ = interval.tick() => open.sweep(&transport),
        }
    }
    open.drain(transport.limits().drain).await;
}

fn refused(address: &str, reason: String) -> CallError {
    CallError::Connect { address: address.to_owned(), reason }
}
