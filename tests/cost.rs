//! What a message costs, in units that do not depend on the machine's speed: allocations, allocated bytes, reads and writes on the
//! socket. A change that makes a path dearer fails here, and says by how much.
//!
//! A container runs in this process; the client is a plain socket with frames made beforehand, which allocates nothing
//! while it is counted. Background work (upkeep, timers) falls into the counted time too, so a bound is what was measured and
//! about a tenth.

#![allow(clippy::disallowed_methods, reason = "tests stand outside of the program")]
#![allow(clippy::unwrap_used, reason = "a test ends there")]

#[path = "../examples/support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::BytesMut;
use dhat::{HeapStats, Profiler};
use mqcontainer::protocol::command::{Command, Serialization};
use mqcontainer::protocol::frame;
use mqcontainer::protocol::ids::QueueOffset;
use support::{Outcome, Peer, Running, broker_table, free_port};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const TOPIC: &str = "cost";
const BODY_BYTES: usize = 1024;
/// As the Java client sends them.
const PROPERTIES: &str =
    "UNIQ_KEY\u{1}7F00000100002A139A5B1B2C3D4E0001\u{2}WAIT\u{1}true\u{2}TAGS\u{1}tag\u{2}KEYS\u{1}key\u{2}";
/// Rounds before counting: tables grow to their size, the topic is there.
const WARM_UP: usize = 50;
const ROUNDS: usize = 400;

/// A path and what one message of it may cost.
struct Path {
    name: &'static str,
    /// Written in one piece.
    request: Vec<u8>,
    /// Answers to it.
    answers: usize,
    /// Messages it moves.
    messages: usize,
    most: Cost,
}

/// Per message.
#[derive(Clone, Copy, Debug)]
struct Cost {
    allocations: f64,
    allocated_bytes: f64,
    reads: f64,
    writes: f64,
}

fn send(serialization: Serialization) -> Vec<u8> {
    let command = support::send_command(TOPIC, Some(PROPERTIES), vec![b'x'; BODY_BYTES].into());
    frame::encode_to_bytes(&Command { serialization, ..command }).to_vec()
}

fn pull() -> Vec<u8> {
    frame::encode_to_bytes(&support::pull_command(TOPIC, QueueOffset(0))).to_vec()
}

fn paths() -> Vec<Path> {
    let cost = |allocations, allocated_bytes, reads, writes| Cost { allocations, allocated_bytes, reads, writes };
    let pipelined = |frame: Vec<u8>| frame.repeat(32);
    vec![
        Path {
            name: "send, JSON header, one in flight",
            request: send(Serialization::Json),
            answers: 1,
            messages: 1,
            most: cost(25.0, 6_800.0, 1.1, 1.1),
        },
        Path {
            name: "send, binary header, one in flight",
            request: send(Serialization::Binary),
            answers: 1,
            messages: 1,
            most: cost(24.0, 6_200.0, 1.1, 1.1),
        },
        Path {
            name: "send, JSON header, 32 in flight",
            request: pipelined(send(Serialization::Json)),
            answers: 32,
            messages: 32,
            most: cost(10.0, 5_900.0, 0.1, 0.1),
        },
        Path {
            name: "pull of 32 messages",
            request: pull(),
            answers: 1,
            messages: 32,
            most: cost(1.5, 5_600.0, 0.1, 0.1),
        },
    ]
}

/// A client that allocates nothing.
struct Plain {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Plain {
    fn connect(port: u16) -> Plain {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(support::DEADLINE)).unwrap();
        Plain { stream, buffer: vec![0; 1 << 20] }
    }

    fn round(&mut self, path: &Path) {
        self.stream.write_all(&path.request).unwrap();
        for _ in 0..path.answers {
            let mut length = [0; 4];
            self.stream.read_exact(&mut length).unwrap();
            let length = u32::from_be_bytes(length) as usize;
            self.stream.read_exact(&mut self.buffer[..length]).unwrap();
        }
    }

    /// What the last answer says.
    fn last_code(&self) -> i32 {
        let header = u32::from_be_bytes([0, self.buffer[1], self.buffer[2], self.buffer[3]]) as usize;
        let mut whole = BytesMut::from(&((4 + header) as u32).to_be_bytes()[..]);
        whole.extend_from_slice(&self.buffer[..4 + header]);
        frame::decode(&mut whole).unwrap().unwrap().code
    }
}

/// Reads and writes on the broker's port so far.
async fn socket_calls(running: &Running) -> Outcome<(f64, f64)> {
    let (_, page) = running.page("/metrics").await?;
    let sum = |name: &str| -> f64 {
        let of_port =
            |line: &&str| line.starts_with(name) && line.contains("port=\"main\"") && line.contains("node_id=\"a\"");
        page.lines().filter(of_port).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    Ok((sum("mqcontainer_reads_total"), sum("mqcontainer_writes_total")))
}

async fn measure(path: &Path, running: &Running, port: u16) -> Outcome<Cost> {
    let mut client = Plain::connect(port);
    (0..WARM_UP).for_each(|_| client.round(path));
    let (reads, writes) = socket_calls(running).await?;
    let before = HeapStats::get();
    (0..ROUNDS).for_each(|_| client.round(path));
    let after = HeapStats::get();
    let (reads_after, writes_after) = socket_calls(running).await?;
    assert_eq!(client.last_code(), 0, "{}", path.name);
    let messages = (ROUNDS * path.messages) as f64;
    Ok(Cost {
        allocations: (after.total_blocks - before.total_blocks) as f64 / messages,
        allocated_bytes: (after.total_bytes - before.total_bytes) as f64 / messages,
        reads: (reads_after - reads) / messages,
        writes: (writes_after - writes) / messages,
    })
}

// One test: whatever else ran in this process would be counted too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_path_costs_more_than_its_bound() -> Outcome<()> {
    let _profiler = Profiler::builder().testing().build();
    let port = free_port();
    let running = Running::start(&broker_table("a", port)).await?;
    Peer::new().send(&format!("127.0.0.1:{port}"), TOPIC, "creates the topic").await?;
    let mut dearer = Vec::new();
    for path in paths() {
        let cost =
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(measure(&path, &running, port)))?;
        println!("{:<36} {cost:.2?}", path.name);
        let pairs = [
            ("allocations", cost.allocations, path.most.allocations),
            ("allocated bytes", cost.allocated_bytes, path.most.allocated_bytes),
            ("reads", cost.reads, path.most.reads),
            ("writes", cost.writes, path.most.writes),
        ];
        for (what, is, most) in pairs {
            if is > most {
                dearer.push(format!("{}: {is:.2} {what} a message, bound {most}", path.name));
            }
        }
    }
    running.stop().await;
    assert!(dearer.is_empty(), "{}", dearer.join("\n"));
    Ok(())
}
