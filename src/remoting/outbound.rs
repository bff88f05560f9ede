//! Commands on their way into the socket: heads and small bodies in one piece, big bodies uncopied.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use super::Connection;
use super::connection::weight;
use super::counters::{Counters, add};
use crate::protocol::command::Command;
use crate::protocol::frame;

/// Pieces of one `writev`. Java's Netty uses up to 1024; beyond some dozens nothing is gained.
const SLICES_MAX: usize = 64;

/// Body pieces up to this many bytes are copied behind their head: a copy of 2 KiB costs less than two more slices.
const COPY_MAX: usize = 2048;

/// A head without remark and few fields; more grows the buffer.
const HEAD_GUESS: usize = 256;

/// The sending side of a connection. Holds nothing while nothing is to be written.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    pieces: VecDeque<Bytes>,
    /// Weight of the commands that the pieces come from.
    weight: usize,
}

impl Outbound {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Encodes `commands` behind what is there.
    pub(super) fn append(&mut self, commands: VecDeque<Command>, counters: &Counters) {
        if commands.is_empty() {
            return;
        }
        add(&counters.frames_out, commands.len());
        let mut heads = BytesMut::with_capacity(commands.len() * HEAD_GUESS);
        for command in commands {
            self.weight += weight(&command);
            frame::encode_head(&command, &mut heads);
            for piece in command.body.pieces() {
                if piece.len() <= COPY_MAX {
                    heads.extend_from_slice(piece);
                } else {
                    self.pieces.push_back(heads.split().freeze());
                    self.pieces.push_back(piece.clone());
                }
            }
        }
        if !heads.is_empty() {
            self.pieces.push_back(heads.freeze());
        }
    }

    /// Writes until nothing is left (ready) or the socket is full (pending). Returns the weight of what was written.
    pub(super) fn poll_flush(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut TcpStream,
        connection: &Connection,
    ) -> Poll<io::Result<usize>> {
        while !self.pieces.is_empty() {
            let written = ready!(self.poll_write(context, stream))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            add(&connection.counters().writes, 1);
            add(&connection.counters().bytes_out, written);
            connection.signs().progress.fetch_add(1, Ordering::Relaxed);
            self.advance(written);
        }
        self.pieces = VecDeque::new();
        Poll::Ready(Ok(std::mem::take(&mut self.weight)))
    }

    fn poll_write(&self, context: &mut Context<'_>, stream: &mut TcpStream) -> Poll<io::Result<usize>> {
        if let [one] = self.pieces.as_slices().0
            && self.pieces.len() == 1
        {
            return Pin::new(stream).poll_write(context, one);
        }
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        Pin::new(stream).poll_write_vectored(context, &slices[..count])
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(first) = self.pieces.front_mut() {
            if written < first.len() {
                first.advance(written);
                return;
            }
            written -= first.len();
            self.pieces.pop_front();
        }
        assert_eq!(written, 0, "the socket took more than there was");
    }
}
