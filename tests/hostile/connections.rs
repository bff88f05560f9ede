//! Peers that are no clients, and clients that do not behave: what they send, leave half done, or never read.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use mqcontainer::protocol::codes::request;
use mqcontainer::protocol::command::Command;
use mqcontainer::protocol::frame;
use mqcontainer::protocol::headers::pull::PullRequest;
use mqcontainer::protocol::ids::QueueOffset;
use mqcontainer::protocol::sys_flag;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::program::Program;
use crate::support::{DEADLINE, Outcome, Peer};

/// Frames that are begun and not finished.
const HALF_FRAMES: usize = 200;

/// Connections on which nothing is ever said.
const IDLE_CONNECTIONS: usize = 3_000;

/// File descriptors this test needs besides.
const OTHER_FILES: u64 = 500;

/// Clients that read no answer, and what each of them asks for: far more bytes than the program may hold.
const NEVER_READING: usize = 8;
const PULLS: usize = 3_000;

fn with_length(length: u32, rest: &[u8]) -> Vec<u8> {
    [&length.to_be_bytes(), rest].concat()
}

/// A frame whose header word and header are given.
fn with_header(word: u32, header: &[u8]) -> Vec<u8> {
    with_length(4 + header.len() as u32, &[&word.to_be_bytes(), header].concat())
}

fn json_header(header: &str) -> Vec<u8> {
    with_header(header.len() as u32, header.as_bytes())
}

/// Bytes without meaning, the same in every run.
fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    // The first byte makes a length that no frame has, so that the rest is not waited for.
    [0x7f].into_iter().chain((0..length).map(step)).collect()
}

fn nonsense() -> Vec<(&'static str, Vec<u8>)> {
    let fields: String = (0..2_000).map(|number| format!("\"f{number}\":\"\",")).collect();
    vec![
        ("TLS ClientHello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("HTTP", b"GET /metrics HTTP/1.1\r\nHost: broker\r\n\r\n".to_vec()),
        ("noise", noise(1, 4_096)),
        ("more noise", noise(2, 100_000)),
        ("length 0", with_length(0, &[])),
        ("length 3", with_length(3, &[0, 0, 0])),
        ("length -1", with_length(u32::MAX, &[])),
        ("length -2^31", with_length(1 << 31, &[0; 64])),
        ("a byte more than 16 MiB", with_length((16 << 20) + 1, &[])),
        ("2 GiB", with_length(i32::MAX as u32, &[0; 64])),
        ("a header longer than its frame", with_length(8, &[0, 0, 1, 0, 0, 0, 0, 0])),
        ("an unknown header codec", with_header(0x0700_0004, b"abcd")),
        ("JSON cut short", json_header("{\"code\":10,\"opaque\":")),
        ("JSON that is no object", json_header("[10]")),
        ("JSON, 100,000 deep", json_header(&"[".repeat(100_000))),
        ("fields, 100,000 deep", json_header(&format!("{{\"code\":10,\"extFields\":{}", "{\"a\":".repeat(100_000)))),
        ("a code of 64 bits", json_header("{\"code\":4294967306}")),
        ("2,000 fields", json_header(&format!("{{\"code\":10,\"extFields\":{{{fields}\"z\":\"\"}}}}"))),
        ("a header that is no UTF-8", with_header(4, b"\xff\xfe\xfd\xfc")),
        ("a short binary header", with_header(0x0100_0003, b"abc")),
        ("binary lengths of 2 GiB", with_header(0x0100_0015, &[0x7f; 21])),
        ("binary lengths below 0", with_header(0x0100_0015, &[0xff; 21])),
    ]
}

/// Every kind of nonsense on every port; each closes its connection. Returns how many were closed.
pub async fn nonsense_is_closed(program: &Program) -> Outcome<usize> {
    let fast = Program::fast(&program.open)?;
    let mut count = 0;
    for port in [&program.open, &fast, &program.admin, &program.namesrv] {
        for (name, bytes) in nonsense() {
            let mut stream = TcpStream::connect(port).await?;
            // It may close before all is written.
            let _ = stream.write_all(&bytes).await;
            let closed = tokio::time::timeout(DEADLINE, is_closed(&mut stream)).await;
            assert!(closed.is_ok_and(|closed| closed), "{name} was answered, or kept its connection");
            count += 1;
        }
    }
    Ok(count)
}

/// Waits for the end of a connection; `false` when bytes come instead.
async fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 64]).await {
        Ok(read) => read == 0,
        Err(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
    }
}

fn send_frame(body: usize) -> Bytes {
    let mut command = Command { code: request::SEND_MESSAGE_V2, ..Command::default() };
    for (name, value) in
        [("a", "g"), ("b", "Half"), ("c", "TBW102"), ("d", "4"), ("e", "0"), ("f", "0"), ("g", "0"), ("h", "0")]
    {
        command.ext.set(name, value);
    }
    command.body = vec![b'h'; body].into();
    frame::encode_to_bytes(&command)
}

/// Frames of 2 MiB of which every other connection sends all but one byte, together more than may be held, and the others
/// only the beginning.
pub async fn half_frames(program: &Program) -> Outcome<Vec<TcpStream>> {
    let bytes = send_frame(2 << 20);
    let mut streams = Vec::new();
    for number in 0..HALF_FRAMES {
        let mut stream = TcpStream::connect(&program.open).await?;
        let end = if number % 2 == 0 { bytes.len() - 1 } else { 100 };
        // What does not fit waits in this process: the program reads no more of it than its limit allows.
        let written = tokio::time::timeout(Duration::from_millis(20), stream.write_all(&bytes[..end])).await;
        if let Ok(written) = written {
            written?;
        }
        streams.push(stream);
    }
    Ok(streams)
}

/// A frame that arrives byte by byte, so that its connection is never quiet; ends when it is closed.
pub async fn drip(program: &Program) -> Outcome<()> {
    let mut stream = TcpStream::connect(&program.open).await?;
    let bytes = send_frame(1 << 20);
    let dripping = async {
        for byte in &bytes {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, dripping).await.is_ok(), "a frame may drip for ever");
    Ok(())
}

/// Opens connections and says nothing; `None`, and a line on stderr, when the machine forbids so many files.
pub async fn idle_connections(program: &Program) -> Outcome<Option<Vec<TcpStream>>> {
    let needed = IDLE_CONNECTIONS as u64 + OTHER_FILES;
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if limit.maximum.is_some_and(|hard| hard < needed) {
        eprintln!(
            "SKIPPED: {IDLE_CONNECTIONS} idle connections need {needed} files, ulimit -Hn is {:?}",
            limit.maximum
        );
        return Ok(None);
    }
    if limit.current.is_some_and(|soft| soft < needed) {
        limit.current = Some(needed);
        rustix::process::setrlimit(rustix::process::Resource::Nofile, limit)?;
    }
    let ports = [&program.open, &program.strict, &program.mute, &program.admin, &program.namesrv];
    let mut streams = Vec::new();
    for port in ports.iter().cycle().take(IDLE_CONNECTIONS) {
        streams.push(TcpStream::connect(port).await?);
    }
    Ok(Some(streams))
}

/// Waits until every one of these connections was closed by the program.
pub async fn all_closed(what: &str, streams: Vec<TcpStream>) {
    let closing = async {
        for mut stream in streams {
            assert!(is_closed(&mut stream).await, "{what}: an answer to nothing");
        }
    };
    assert!(tokio::time::timeout(DEADLINE, closing).await.is_ok(), "{what}: still open");
}

/// Messages that make every pull an answer of 256 KiB.
pub async fn fill(program: &Program) -> Outcome<()> {
    let peer = Peer::new();
    let body = "b".repeat(60_000);
    for _ in 0..16 {
        peer.send(&program.open, "Big", &body).await?;
    }
    // They can be read a moment after they were sent.
    assert!(!peer.pull_all(&program.open, "Big", 16).await?.is_empty());
    Ok(())
}

/// Connections that ask for gigabytes and read none of them.
pub async fn never_read(program: &Program) -> Outcome<Vec<TcpStream>> {
    let mut streams = Vec::new();
    for _ in 0..NEVER_READING {
        let mut stream = TcpStream::connect(&program.open).await?;
        for opaque in 0..PULLS {
            // The program stops reading, or closes, long before the last one.
            let pull = big_pull(opaque);
            let write = tokio::time::timeout(Duration::from_millis(200), stream.write_all(&pull));
            if !matches!(write.await, Ok(Ok(()))) {
                break;
            }
        }
        streams.push(stream);
    }
    Ok(streams)
}

fn big_pull(opaque: usize) -> Bytes {
    let opaque = i32::try_from(opaque).unwrap_or(i32::MAX);
    let mut command = Command { code: request::PULL_MESSAGE, opaque, ..Command::default() };
    PullRequest {
        consumer_group: "glutton",
        topic: "Big",
        queue_offset: QueueOffset(0),
        max_msg_nums: 32,
        sys_flag: sys_flag::pull::SUBSCRIPTION,
        subscription: Some("*"),
        expression_type: Some("TAG"),
        ..PullRequest::default()
    }
    .encode(&mut command.ext);
    frame::encode_to_bytes(&command)
}
