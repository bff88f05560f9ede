//! Bytes that were read and are not frames yet.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::io::poll_read_buf;

use super::budget::Budget;
use super::proxy_header::{self, Detected};
use crate::protocol::command::Command;
use crate::protocol::frame::{self, FrameError};

/// One read takes at most this much, so that one busy peer cannot hold the thread.
const READ_MAX: usize = 64 * 1024;

/// Longer frames are read into a buffer of their own that grows as their bytes arrive.
const BIG_FRAME: usize = READ_MAX;

thread_local! {
    /// Small frames are read here and copied into a buffer of exactly their length. So a connection that waits holds no
    /// buffer at all, and a request that waits holds its own bytes and not a share of somebody's 64 KiB.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_MAX].into_boxed_slice());
}

/// The receiving side of a connection. Everything it holds between two reads is taken from the process' budget.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    buffer: BytesMut,
    /// Taken from the budget: what the buffer holds, or the whole length of the big frame in it.
    taken: usize,
    /// Length of the big frame that is being read, once the budget had room for it.
    reserved: usize,
    /// The first byte of the connection has been looked at.
    begun: bool,
}

/// What one read brought.
#[derive(Debug)]
pub(super) enum Read {
    Bytes(usize),
    /// The peer has ended the stream.
    End,
    /// A big frame must wait for memory.
    NoMemory,
}

/// What the buffer holds next.
#[derive(Debug)]
pub(super) enum Next {
    Frame {
        command: Command,
        length: usize,
    },
    /// A PROXY header was taken off; frames follow.
    Source(std::net::SocketAddr),
    Incomplete,
}

/// Why the bytes of a connection cannot be understood.
#[derive(Debug, thiserror::Error)]
pub(super) enum Garbage {
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("{0}")]
    ProxyHeader(&'static str),
}

impl Inbound {
    /// Whether part of a frame has arrived.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut TcpStream,
        budget: &Budget,
    ) -> Poll<io::Result<Read>> {
        ready!(stream.poll_read_ready(context))?;
        match self.big_frame_missing() {
            Some(missing) => self.poll_read_big(context, stream, budget, missing),
            None => self.poll_read_small(context, stream),
        }
    }

    /// Bytes that are missing of a big frame that has begun. Its length was checked when the frame was looked at.
    fn big_frame_missing(&self) -> Option<usize> {
        let length = u32::from_be_bytes(*self.buffer.first_chunk()?) as usize + 4;
        let is_big = self.begun && (BIG_FRAME..=frame::MAX_FRAME).contains(&length);
        is_big.then(|| length.saturating_sub(self.buffer.len())).filter(|missing| *missing > 0)
    }

    fn poll_read_small(&mut self, context: &mut Context<'_>, stream: &mut TcpStream) -> Poll<io::Result<Read>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut read = ReadBuf::new(scratch);
            ready!(Pin::new(stream).poll_read(context, &mut read))?;
            let bytes = read.filled();
            if bytes.is_empty() {
                return Poll::Ready(Ok(Read::End));
            }
            let mut joined = BytesMut::with_capacity(self.buffer.len() + bytes.len());
            joined.extend_from_slice(&self.buffer);
            joined.extend_from_slice(bytes);
            self.buffer = joined;
            Poll::Ready(Ok(Read::Bytes(bytes.len())))
        })
    }

    /// A big frame takes its whole length from the budget before it is read on, so frames never wait for each other in a
    /// circle. The memory itself is not reserved: the buffer doubles while bytes arrive.
    fn poll_read_big(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut TcpStream,
        budget: &Budget,
        missing: usize,
    ) -> Poll<io::Result<Read>> {
        if self.reserved == 0 {
            let length = self.buffer.len() + missing;
            if !budget.try_take(length - self.taken) {
                return Poll::Ready(Ok(Read::NoMemory));
            }
            self.taken = length;
            self.reserved = length;
        }
        if self.buffer.capacity() == self.buffer.len() {
            let more = missing.min(self.buffer.len().max(READ_MAX));
            let mut larger = BytesMut::with_capacity(self.buffer.len() + more);
            larger.extend_from_slice(&self.buffer);
            self.buffer = larger;
        }
        match ready!(poll_read_buf(Pin::new(stream), context, &mut self.buffer))? {
            0 => Poll::Ready(Ok(Read::End)),
            bytes => Poll::Ready(Ok(Read::Bytes(bytes))),
        }
    }

    /// Takes the next frame off the buffer.
    pub(super) fn next(&mut self, proxy_protocol: bool) -> Result<Next, Garbage> {
        if !self.begun && !self.buffer.is_empty() {
            match proxy_header::detect(&self.buffer) {
                Detected::Incomplete if proxy_protocol => return Ok(Next::Incomplete),
                Detected::Header { length, source } if proxy_protocol => {
                    self.buffer.advance(length);
                    self.begun = true;
                    if let Some(source) = source {
                        return Ok(Next::Source(source));
                    }
                }
                Detected::Invalid(why) if proxy_protocol => return Err(Garbage::ProxyHeader(why)),
                _ => self.begun = true,
            }
        }
        let before = self.buffer.len();
        Ok(match frame::decode(&mut self.buffer)? {
            Some(command) => Next::Frame { command, length: before - self.buffer.len() },
            None => Next::Incomplete,
        })
    }

    /// After frames were looked for: what stays is moved out of the memory it shares with frames that were taken off, and
    /// is paid for.
    pub(super) fn settle(&mut self, taken_off: bool, budget: &Budget) {
        if self.buffer.is_empty() {
            // A big frame is read to its end and no further, so there is none in the buffer now.
            self.reserved = 0;
            self.buffer = BytesMut::new();
        } else if taken_off {
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        let holds = self.buffer.capacity().max(self.reserved);
        if holds > self.taken {
            budget.take(holds - self.taken);
        } else if holds < self.taken {
            budget.give_back(self.taken - holds);
        }
        self.taken = holds;
    }

    /// The connection has ended.
    pub(super) fn clear(&mut self, budget: &Budget) {
        self.buffer = BytesMut::new();
        self.settle(false, budget);
    }
}
