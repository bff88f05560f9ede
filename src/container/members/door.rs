//! The port of a member: tells streams of containers from connections for the log by their first four bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::Hand;
use super::owner::Event;
use super::plan::ContainerId;
use crate::env::mailbox::Sender;
use crate::env::{TaskKind, Tasks};
use crate::protocol::raft::{GREETING, GREETING_BYTES, Greeting};

/// How long a connection may take to say what it is. A Java slave speaks after 5 s.
const PATIENCE: Duration = Duration::from_secs(6);

/// Connections of one port that have not said what they are; more are closed.
const UNKNOWN_MAX: usize = 64;

/// Pause when less than four bytes have come, and after a failed `accept`.
const PAUSE: Duration = Duration::from_millis(20);

/// The port of one member.
#[derive(Clone)]
pub(super) struct Port {
    pub(super) owner: Arc<str>,
    pub(super) tasks: Tasks,
    pub(super) events: Sender<Event>,
    pub(super) hand: Hand,
}

impl Port {
    /// Accepts until the tasks are told to end.
    pub(super) async fn run(self, listener: TcpListener) {
        let unknown = Arc::new(AtomicUsize::new(0));
        loop {
            let accepted = tokio::select! {
                () = self.tasks.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let (stream, remote) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(broker = %self.owner, %error, "cannot accept a member");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            if unknown.fetch_add(1, Ordering::Relaxed) >= UNKNOWN_MAX {
                unknown.fetch_sub(1, Ordering::Relaxed);
                tracing::debug!(broker = %self.owner, %remote, limit = UNKNOWN_MAX, "too many connections that say nothing");
                continue;
            }
            let (port, unknown) = (self.clone(), Arc::clone(&unknown));
            drop(self.tasks.spawn(TaskKind::Members, &self.owner, async move {
                let sorted = tokio::select! {
                    () = port.tasks.cancelled() => None,
                    sorted = tokio::time::timeout(PATIENCE, sort(stream)) => sorted.ok().flatten(),
                };
                unknown.fetch_sub(1, Ordering::Relaxed);
                match sorted {
                    Some(sorted) => port.pass_on(sorted, remote).await,
                    None => tracing::debug!(broker = %port.owner, %remote, "neither a member nor a slave, closed"),
                }
            }));
        }
    }

    async fn pass_on(&self, (stream, container): (TcpStream, Option<ContainerId>), remote: SocketAddr) {
        match container {
            Some(container) => {
                // An error means that the process is ending.
                let _stopped = self.events.send(Event::Accepted { container, stream, remote }).await;
            }
            None if self.hand.try_send((stream, remote)).is_err() => {
                tracing::debug!(broker = %self.owner, %remote, "the broker takes no connection for the log now");
            }
            None => {}
        }
    }
}

/// The connection with its container when it is a stream of one, whose greeting was read; none when it is nothing at all. Of a connection for the log
/// nothing was read.
async fn sort(mut stream: TcpStream) -> Option<(TcpStream, Option<ContainerId>)> {
    let mut first = [0; 4];
    loop {
        match stream.peek(&mut first).await {
            Ok(4) => break,
            Ok(0) | Err(_) => return None,
            // A greeting is written at once, so this is rare.
            Ok(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    if i32::from_be_bytes(first) != GREETING {
        return Some((stream, None));
    }
    let mut greeting = [0; GREETING_BYTES];
    stream.read_exact(&mut greeting).await.ok()?;
    let greeting = match Greeting::decode(&greeting) {
        Ok(greeting) => greeting,
        Err(error) => {
            tracing::warn!(%error, "a container cannot be understood");
            return None;
        }
    };
    // Without it small frames wait for the acknowledgement of the one before; a socket that refuses is about to fail.
    let _nodelay = stream.set_nodelay(true);
    Some((stream, Some(ContainerId(greeting.container))))
}
