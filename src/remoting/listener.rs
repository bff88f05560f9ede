//! One listening port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::Counters;
use super::counters::add;
use super::driver::Driver;
use super::open_set::OpenSet;
use super::request::Service;
use super::transport::Transport;
use crate::env::{TaskKind, Tasks};

/// Connections the kernel keeps until they are accepted (Java: `SO_BACKLOG` 1024).
pub const BACKLOG: i32 = 1024;

/// Pause after a failed `accept` (no file descriptors left, mostly); doubles up to the second value.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// A bound port that does not serve yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    local: SocketAddr,
    counters: Arc<Counters>,
}

/// Binds a port; `0` takes a free one. Must be called inside the runtime.
///
/// # Errors
/// What the operating system says: the port is in use, the address is not of this machine, no permission.
pub fn bind(address: SocketAddr, backlog: i32) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // As Java: a port can be bound again while connections of its last owner are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    let socket = TcpListener::from_std(socket.into())?;
    let local = socket.local_addr()?;
    Ok(Listener { socket, local, counters: Arc::default() })
}

impl Listener {
    /// The address it is bound to, with the real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The bound socket, for another protocol than remoting.
    #[must_use]
    pub fn into_socket(self) -> TcpListener {
        self.socket
    }

    /// What happens on this port.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Serves until `tasks` is cancelled: then it stops accepting and reading, lets answers in flight go out for at most
    /// [`Limits::drain`](super::Limits::drain), and closes. All its tasks are tasks of `tasks`, so `tasks.ended()` waits for that.
    pub fn serve(self, owner: &Arc<str>, service: Arc<dyn Service>, transport: &Arc<Transport>, tasks: &Tasks) {
        let port = Port {
            local: self.local,
            counters: self.counters,
            owner: Arc::clone(owner),
            service,
            transport: Arc::clone(transport),
            tasks: tasks.clone(),
            open: Arc::default(),
        };
        tasks.spawn(TaskKind::Listener, owner, port.run(self.socket));
    }
}

/// The listener's task.
struct Port {
    local: SocketAddr,
    counters: Arc<Counters>,
    owner: Arc<str>,
    service: Arc<dyn Service>,
    transport: Arc<Transport>,
    tasks: Tasks,
    open: Arc<OpenSet>,
}

impl Port {
    async fn run(self, socket: TcpListener) {
        let mut sweep = OpenSet::interval(self.transport.limits());
        let mut pause = ACCEPT_PAUSE.0;
        let cancelled = self.tasks.cancelled();
        tokio::pin!(cancelled);
        loop {
            tokio::select! {
                biased;
                () = &mut cancelled => break,
                _ = sweep.tick() => self.open.sweep(&self.transport),
                accepted = socket.accept() => match accepted {
                    Ok((stream, peer)) => {
                        pause = ACCEPT_PAUSE.0;
                        self.accept(stream, peer);
                    }
                    Err(error) if is_about_one_peer(&error) => add(&self.counters.accept_errors, 1),
                    Err(error) => {
                        self.complain_accept(&error);
                        let rest = tokio::time::timeout(pause, &mut cancelled).await;
                        pause = (pause * 2).min(ACCEPT_PAUSE.1);
                        if rest.is_ok() {
                            break;
                        }
                    }
                },
            }
        }
        // Closed before the drain, so that new clients go elsewhere and the port is free for its next owner.
        drop(socket);
        self.open.drain(self.transport.limits().drain).await;
    }

    fn accept(&self, stream: TcpStream, peer: SocketAddr) {
        let Some(permit) = self.transport.admit() else {
            add(&self.counters.refused, 1);
            if self.transport.complaints.allowed() {
                let limit = self.transport.limits().connections;
                tracing::warn!(%peer, local = %self.local, limit, "connection refused, too many are open in this process");
            }
            return;
        };
        let driver =
            Driver::new(stream, peer, Arc::clone(&self.service), &self.open, &self.counters, (&self.transport, permit));
        match driver {
            Ok(driver) => drop(self.tasks.spawn(TaskKind::Connection, &self.owner, driver.run())),
            Err(error) => {
                add(&self.counters.accept_errors, 1);
                tracing::debug!(%peer, local = %self.local, %error, "connection was gone before it began");
            }
        }
    }

    fn complain_accept(&self, error: &io::Error) {
        add(&self.counters.accept_errors, 1);
        if self.transport.complaints.allowed() {
            let open = self.transport.open_connections();
            tracing::error!(local = %self.local, %error, open, "cannot accept connections; if file descriptors ran out, raise ulimit -n");
        }
    }
}

/// Errors that concern the connection that was to be accepted, not the port.
fn is_about_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
