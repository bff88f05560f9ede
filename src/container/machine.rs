//! The machine under a container: what the configuration asks of it, and the environment everything runs in.

use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::{self, Outside};
use crate::env::{Disk, Env, IoPool, SystemClock, SystemDisk, SystemEntropy, Tasks};

/// Jobs of all brokers together that may wait for a thread of the pool.
const POOL_QUEUE: usize = 4_096;

/// The machine as the configuration sees it.
#[must_use]
pub fn outside() -> Outside {
    Outside {
        read: Box::new(|path| SystemDisk.read(path)),
        var: Box::new(|name| std::env::var(name).ok()),
        local_address: local_address(),
        current_dir: std::env::current_dir().unwrap_or_default(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

/// The machine's clocks, files and chance, and a pool of the size the configuration gives.
///
/// # Errors
/// The kernel's, when a thread cannot be started.
pub fn environment(config: &config::Container) -> io::Result<Env> {
    Ok(Env {
        clock: Arc::new(SystemClock::new()),
        disk: Arc::new(SystemDisk),
        entropy: Arc::new(SystemEntropy),
        pool: IoPool::start(config.limits.io_threads, POOL_QUEUE)?,
        tasks: Tasks::new(),
    })
}

/// Raises the soft limit of open files to the hard one, as a JVM does, and says so when that is too few.
///
/// The soft limit is 1024 on many systems, kept low for programs that use `select`; every connection and every open file of
/// a store takes one.
pub fn raise_open_files(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let in_force = if raised.is_ok() { limit.maximum } else { limit.current };
    if let Some(files) = in_force.filter(|files| *files < connections as u64) {
        tracing::warn!(
            files,
            connections,
            "the process may open fewer files than limits.connections; raise its hard limit (ulimit -Hn, LimitNOFILE) or lower limits.connections"
        );
    }
}

/// The address this machine would send from to reach others; loopback when it has no route. Connecting a UDP socket sends nothing.
fn local_address() -> IpAddr {
    let routed = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        Ok::<IpAddr, io::Error>(socket.local_addr()?.ip())
    };
    routed().unwrap_or(Ipv4Addr::LOCALHOST.into())
}
