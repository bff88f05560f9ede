//! The floor: the least program that does a broker's work for a send, and so the measured limit of a machine.
//!
//! ```text
//! epoll -> one read of each ready connection -> frames: opaque and body, nothing else
//!       -> one pwrite of all records of the round -> [fdatasync] -> one write of answers to each connection
//! ```
//!
//! It stores as many bytes as a broker would, the body and zeros for the rest, and answers as a broker does; it has no queues, no
//! index, no checks. Whatever a client asks besides is answered with success and the same constant route, so it is
//! its own NameServer. One thread: with several, each finds fewer frames ready, and every wake-up, write and sync serves fewer
//! messages (docs/performance-notes.md has the figures). Group commit needs no more either: what comes during a sync
//! waits in the sockets and is the next round.

mod peer;
mod route;

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use clap::Args;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use peer::Peer;
use route::Route;

/// Runs the floor instead of measuring
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Where clients find it, as NameServer and as broker
    #[arg(long)]
    port: u16,
    /// The one file records go to; an old one is overwritten
    #[arg(long)]
    file: PathBuf,
    /// Answer after fdatasync
    #[arg(long)]
    sync: bool,
}

/// Most connections with something to read that one round takes.
const READY_MAX: usize = 1024;
/// The file grows by so much, as a commit log does by its files.
const STEP: u64 = 1 << 30;
const LISTENER: u64 = u64::MAX;

/// Never returns; the process is ended by a signal.
pub fn run(arguments: &Arguments) -> ! {
    let mut floor = Floor::new(arguments);
    let mut ready = Vec::with_capacity(READY_MAX);
    loop {
        match epoll::wait(&floor.epoll, spare_capacity(&mut ready), None) {
            Err(Errno::INTR) => continue,
            waited => waited.unwrap(),
        };
        floor.round(&mut ready);
    }
}

struct Floor {
    epoll: OwnedFd,
    listener: TcpListener,
    route: Route,
    /// By the number epoll knows a connection by; closed ones leave a gap that the next connection takes.
    peers: Vec<Option<Peer>>,
    file: File,
    sync: bool,
    written: u64,
    allocated: u64,
    /// Of the round.
    records: Vec<u8>,
}

impl Floor {
    fn new(arguments: &Arguments) -> Floor {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).unwrap();
        let epoll = epoll::create(CreateFlags::CLOEXEC).unwrap();
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN).unwrap();
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(&arguments.file).unwrap();
        Floor {
            epoll,
            listener,
            route: Route::to(arguments.port),
            peers: Vec::new(),
            file,
            sync: arguments.sync,
            written: 0,
            allocated: 0,
            records: Vec::new(),
        }
    }

    /// Everything that is ready, from its bytes to its answers.
    fn round(&mut self, ready: &mut Vec<epoll::Event>) {
        for event in ready.iter() {
            let number = event.data.u64();
            if number == LISTENER {
                self.accept();
                continue;
            }
            let slot = &mut self.peers[usize::try_from(number).unwrap()];
            let open = slot.as_mut().is_some_and(|peer| peer.read(&mut self.records, &self.route));
            if !open {
                *slot = None;
            }
        }
        self.store();
        for event in ready.drain(..).filter(|event| event.data.u64() != LISTENER) {
            let number = event.data.u64();
            let slot = &mut self.peers[usize::try_from(number).unwrap()];
            let Some(peer) = slot else { continue };
            match peer.write() {
                Ok(None) => {}
                Ok(Some(wanted)) => {
                    epoll::modify(&self.epoll, &peer.socket, EventData::new_u64(number), wanted).unwrap();
                }
                Err(_) => *slot = None,
            }
        }
    }

    fn store(&mut self) {
        if self.records.is_empty() {
            return;
        }
        let end = self.written + self.records.len() as u64;
        while self.allocated < end {
            rustix::fs::fallocate(&self.file, FallocateFlags::empty(), self.allocated, STEP).unwrap();
            self.allocated += STEP;
        }
        self.file.write_all_at(&self.records, self.written).unwrap();
        self.written = end;
        self.records.clear();
        if self.sync {
            rustix::fs::fdatasync(&self.file).unwrap();
        }
    }

    fn accept(&mut self) {
        let (socket, _) = self.listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.set_nodelay(true).unwrap();
        let free = self.peers.iter().position(Option::is_none).unwrap_or(self.peers.len());
        epoll::add(&self.epoll, &socket, EventData::new_u64(free as u64), EventFlags::IN).unwrap();
        let peer = Some(Peer::new(socket));
        if free == self.peers.len() {
            self.peers.push(peer);
        } else {
            self.peers[free] = peer;
        }
    }
}
