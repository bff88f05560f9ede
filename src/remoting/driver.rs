//! The one task of a connection: reads, hands requests out, writes answers.
//!
//! ```text
//!   turn ─> write ─> hand out / read ─> progress? ── yes ─> turn
//!                                          └ no ─> park until the socket or the outbox has something
//! ```
//!
//! One poll function instead of two tasks: a connection costs one task and one wake-up per batch, and "do not read while
//! the peer does not read" is an `if`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use tokio::net::TcpStream;

use super::connection::{Park, Turn};
use super::counters::add;
use super::inbound::{Garbage, Inbound, Next, Read};
use super::open_set::{Member, OpenSet};
use super::outbound::Outbound;
use super::request::{ReplySlot, Request, Service};
use super::transport::{OpenPermit, Transport};
use super::{CloseReason, Connection, Counters};
use crate::protocol::command::Command;
use crate::protocol::frame::FrameError;

/// Frames handed out before answers that are ready are written: a peer that asks for much and reads nothing is noticed
/// after this many answers, not after all it asked for.
const HAND_OUT_MAX: u32 = 64;

/// A connection's task. However it ends, dropping it tells everybody who waits.
pub(super) struct Driver {
    stream: TcpStream,
    connection: Connection,
    service: Arc<dyn Service>,
    inbound: Inbound,
    outbound: Outbound,
    /// Weight written since the last turn.
    written: usize,
    reason: CloseReason,
    _member: Member,
    _permit: OpenPermit,
}

/// Where reading stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Progress,
    /// The socket has nothing; it wakes the task.
    Empty,
    /// Too many requests in flight; the outbox wakes the task.
    Full,
    /// Somebody else wakes the task: the socket when it takes bytes again, or the budget.
    Held,
}

impl Driver {
    pub(super) fn new(
        stream: TcpStream,
        peer: SocketAddr,
        service: Arc<dyn Service>,
        set: &Arc<OpenSet>,
        counters: &Arc<Counters>,
        (transport, permit): (&Arc<Transport>, OpenPermit),
    ) -> io::Result<Driver> {
        stream.set_nodelay(true)?;
        let connection = Connection::new(peer, stream.local_addr()?, transport, counters);
        add(&counters.accepted, 1);
        add(&counters.active, 1);
        Ok(Driver {
            _member: Member::new(set, &connection),
            _permit: permit,
            stream,
            connection,
            service,
            inbound: Inbound::default(),
            outbound: Outbound::default(),
            written: 0,
            // What it is if nothing else is said: the task was dropped or it panicked.
            reason: CloseReason::Panicked,
        })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs until the connection ends.
    pub(super) async fn run(mut self) {
        self.reason = std::future::poll_fn(|context| self.poll(context)).await;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<CloseReason> {
        loop {
            let turn = self.connection.turn(std::mem::take(&mut self.written), self.outbound.is_empty());
            if let Some(reason) = turn.closing.or(turn.drained.then_some(CloseReason::Stopped)) {
                return Poll::Ready(reason);
            }
            match self.step(context, turn) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(reason) => return Poll::Ready(reason),
            }
        }
    }

    /// One turn; `false` when there is nothing to do but wait.
    fn step(&mut self, context: &mut Context<'_>, turn: Turn) -> Result<bool, CloseReason> {
        let Turn { commands, queued_bytes, draining, .. } = turn;
        self.outbound.append(commands, self.connection.counters());
        let blocked = self.write(context)?;
        let pause = self.connection.transport().limits().outbox_pause_bytes;
        let reading = if draining || (blocked && queued_bytes > pause) { Reading::Held } else { self.read(context)? };
        if reading == Reading::Progress {
            return Ok(true);
        }
        let park = Park {
            for_commands: !blocked,
            for_room: reading == Reading::Full,
            draining,
            written: std::mem::take(&mut self.written),
        };
        Ok(!self.connection.park(context.waker(), park))
    }

    /// Returns whether the socket is full.
    fn write(&mut self, context: &mut Context<'_>) -> Result<bool, CloseReason> {
        if self.outbound.is_empty() {
            return Ok(false);
        }
        let flushed = self.outbound.poll_flush(context, &mut self.stream, &self.connection);
        self.connection.signs().blocked.store(flushed.is_pending(), Ordering::Relaxed);
        match flushed {
            Poll::Ready(Ok(written)) => {
                self.written += written;
                Ok(false)
            }
            Poll::Ready(Err(error)) => Err(self.io_error("write", &error)),
            Poll::Pending => Ok(true),
        }
    }

    /// Hands out what is there; reads when that is less than a frame.
    fn read(&mut self, context: &mut Context<'_>) -> Result<Reading, CloseReason> {
        if !self.inbound.is_empty() {
            let reading = self.hand_out(context)?;
            if reading != Reading::Empty {
                return Ok(reading);
            }
        }
        let transport = Arc::clone(self.connection.transport());
        let mut read = self.inbound.poll_read(context, &mut self.stream, &transport.partial);
        if let Poll::Ready(Ok(Read::NoMemory)) = read {
            transport.partial.wait(self.connection.id(), context.waker());
            // Bytes may have come back just before the waker was left.
            read = self.inbound.poll_read(context, &mut self.stream, &transport.partial);
        }
        match read {
            Poll::Pending => Ok(Reading::Empty),
            Poll::Ready(Err(error)) => Err(self.io_error("read", &error)),
            Poll::Ready(Ok(Read::End)) => Err(CloseReason::Peer),
            Poll::Ready(Ok(Read::NoMemory)) => {
                // While it waits for memory the peer is not the slow one.
                self.connection.signs().in_frame.store(false, Ordering::Relaxed);
                Ok(Reading::Held)
            }
            Poll::Ready(Ok(Read::Bytes(bytes))) => {
                let counters = self.connection.counters();
                add(&counters.reads, 1);
                add(&counters.bytes_in, bytes);
                self.connection.signs().progress.fetch_add(1, Ordering::Relaxed);
                self.hand_out(context)?;
                Ok(Reading::Progress)
            }
        }
    }

    /// Gives complete frames to the service while there is room. `Empty`: less than a frame is left.
    fn hand_out(&mut self, context: &mut Context<'_>) -> Result<Reading, CloseReason> {
        let mut handed_out = 0;
        let reading = loop {
            if handed_out == HAND_OUT_MAX {
                break Reading::Progress;
            }
            if !self.connection.has_room() {
                break Reading::Full;
            }
            let requests = &self.connection.transport().requests;
            if requests.is_spent() {
                requests.wait(self.connection.id(), context.waker());
                // Bytes may have come back just before the waker was left.
                if requests.is_spent() {
                    break Reading::Held;
                }
            }
            match self.inbound.next(self.connection.transport().limits().proxy_protocol) {
                Ok(Next::Frame { command, length }) => {
                    handed_out += 1;
                    add(&self.connection.counters().frames_in, 1);
                    self.connection.signs().frames.fetch_add(1, Ordering::Relaxed);
                    self.deliver(command, length);
                }
                Ok(Next::Source(source)) => self.connection.set_proxied(source),
                Ok(Next::Incomplete) => break Reading::Empty,
                Err(garbage) => return Err(self.garbage(&garbage)),
            }
        };
        self.inbound.settle(handed_out > 0, &self.connection.transport().partial);
        self.connection
            .signs()
            .in_frame
            .store(reading == Reading::Empty && !self.inbound.is_empty(), Ordering::Relaxed);
        Ok(if handed_out > 0 && reading != Reading::Empty { Reading::Progress } else { reading })
    }

    fn deliver(&mut self, command: Command, length: usize) {
        if command.is_response() {
            let (opaque, code) = (command.opaque, command.code);
            if !self.connection.answer_call(command) {
                tracing::debug!(remote = %self.connection.remote(), opaque, code, "answer without a call");
            }
            return;
        }
        let connection = self.connection.clone();
        let reply = ReplySlot::new(connection.clone(), &command, length);
        self.service.request(Request { command, reply, connection });
    }

    fn io_error(&self, operation: &'static str, error: &io::Error) -> CloseReason {
        tracing::debug!(remote = %self.connection.remote(), local = %self.connection.local(), operation, %error, "connection broke");
        CloseReason::Io
    }

    /// One line that says what it probably was and what to do.
    fn garbage(&self, garbage: &Garbage) -> CloseReason {
        if self.connection.transport().complaints.allowed() {
            tracing::warn!(
                remote = %self.connection.remote(),
                local = %self.connection.local(),
                what = %garbage,
                hint = hint(garbage),
                "closing connection, the bytes are not RocketMQ remoting"
            );
        }
        CloseReason::BadFrame
    }
}

fn hint(garbage: &Garbage) -> &'static str {
    match garbage {
        Garbage::Frame(FrameError::Tls) => {
            "a client with TLS switched on (tls.enable=true); switch it off, this port is plaintext"
        }
        Garbage::Frame(FrameError::OtherProtocol { .. }) => {
            "a browser, probe or scraper; the HTTP endpoint is [http] listen in container.toml"
        }
        Garbage::Frame(FrameError::Length { .. }) => {
            "a frame is at most 16 MiB; a bigger message must be split or compressed by its producer"
        }
        Garbage::Frame(_) => "the peer is no RocketMQ client, or its frame was damaged on the way",
        Garbage::ProxyHeader(_) => "check the PROXY protocol settings of the load balancer",
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let transport = Arc::clone(self.connection.transport());
        self.inbound.clear(&transport.partial);
        transport.partial.forget(self.connection.id());
        transport.requests.forget(self.connection.id());
        let reason = self.connection.finish(self.reason);
        let counters = self.connection.counters();
        counters.active.fetch_sub(1, Ordering::Relaxed);
        counters.count_closed(reason);
        self.service.closed(&self.connection);
    }
}
