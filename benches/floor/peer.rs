//! One connection: bytes in, records and answers out.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use bytes::BytesMut;
use mqcontainer::protocol::codes::request;
use mqcontainer::protocol::frame;
use mqcontainer::protocol::headers::send::SendRequest;
use rustix::event::epoll::EventFlags;

use super::route::Route;

/// One read takes at most so much, unless a single frame is longer.
const READ_MAX: usize = 128 * 1024;
/// Fixed fields of a stored record and the lengths of its three texts, without the texts and the body.
const RECORD_FIXED: usize = 91;
/// The properties a broker adds (CLUSTER, MSG_REGION, TRACE_ON) less those it removes (WAIT).
const BROKER_PROPERTIES: usize = 52;
/// Fixed fields of a message inside a batch.
const BATCH_FIXED: usize = 22;

/// An answer to a send; both numbers are written over the blanks.
const ANSWER: &[u8] = b"\0\0\0\0\0\0\0\0{\"code\":0,\"extFields\":{\"queueId\":\"0\",\
    \"msgId\":\"7F000001000078BF0000000000000104\",\"TRACE_ON\":\"true\",\"MSG_REGION\":\"DefaultRegion\",\"queueOffset\":\"0\"},\
    \"flag\":1,\"language\":\"JAVA\",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":513,\"opaque\":           }";
/// Blanks for it, its sign included.
const OPAQUE_DIGITS: usize = 11;

pub struct Peer {
    pub socket: TcpStream,
    input: Vec<u8>,
    /// Bytes of `input` that hold something.
    filled: usize,
    output: Vec<u8>,
    /// Bytes a record has besides its body, learnt from the first send of each kind: (single, in a batch).
    beside_body: (Option<usize>, Option<usize>),
    /// The socket took no more; nothing is read until it does.
    blocked: bool,
}

impl Peer {
    pub fn new(socket: TcpStream) -> Peer {
        let input = vec![0; READ_MAX];
        Peer { socket, input, filled: 0, output: Vec::new(), beside_body: (None, None), blocked: false }
    }

    /// Reads once and takes all whole frames; false when the client has gone.
    pub fn read(&mut self, records: &mut Vec<u8>, route: &Route) -> bool {
        if self.blocked {
            return true;
        }
        match self.socket.read(&mut self.input[self.filled..]) {
            Ok(0) => return false,
            Ok(read) => self.filled += read,
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
        let mut start = 0;
        while let Some(length) = word(&self.input[start..self.filled], 0) {
            let end = start + 4 + length;
            if end > self.filled {
                self.input.resize(self.input.len().max(4 + length), 0);
                break;
            }
            self.frame(start, end, records, route);
            start = end;
        }
        self.input.copy_within(start..self.filled, 0);
        self.filled -= start;
        true
    }

    fn frame(&mut self, start: usize, end: usize, records: &mut Vec<u8>, route: &Route) {
        let frame = &self.input[start..end];
        let header_end = 8 + (word(frame, 4).unwrap() & 0x00FF_FFFF);
        let (header, body) = (&frame[8..header_end], &frame[header_end..]);
        let beside_body = if header.starts_with(b"{\"code\":310,") {
            *self.beside_body.0.get_or_insert_with(|| learn(frame, RECORD_FIXED + BROKER_PROPERTIES))
        } else if header.starts_with(b"{\"code\":320,") {
            let each = RECORD_FIXED + BROKER_PROPERTIES - BATCH_FIXED;
            *self.beside_body.1.get_or_insert_with(|| learn(frame, each)) * messages(body)
        } else {
            return self.output.extend_from_slice(&route.answer(frame));
        };
        records.extend_from_slice(body);
        records.resize(records.len() + beside_body, 0);
        answer(&mut self.output, opaque(header));
    }

    /// Writes all answers at once; `Some` when epoll has to look for something else from now on.
    pub fn write(&mut self) -> std::io::Result<Option<EventFlags>> {
        let written = match self.output.is_empty() {
            true => 0,
            false => match self.socket.write(&self.output) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                written => written?,
            },
        };
        self.output.drain(..written);
        let was_blocked = std::mem::replace(&mut self.blocked, !self.output.is_empty());
        Ok((was_blocked != self.blocked).then_some(if self.blocked { EventFlags::OUT } else { EventFlags::IN }))
    }
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?) as usize)
}

/// Texts of a record from a whole header, once for each connection: the clients' headers are all of one length.
#[cold]
fn learn(frame: &[u8], fixed: usize) -> usize {
    let command = frame::decode(&mut BytesMut::from(frame)).unwrap().unwrap();
    assert!(matches!(command.code, request::SEND_MESSAGE_V2 | request::SEND_BATCH_MESSAGE), "{command:?}");
    let header = SendRequest::decode(&command.ext).unwrap();
    fixed + header.topic.len() + header.properties.unwrap_or_default().len()
}

/// Of a batch: each message begins with its length.
fn messages(batch: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while let Some(length) = word(batch, at).filter(|length| *length > 0) {
        at += length;
        count += 1;
    }
    count
}

/// The last number of that name: fields before it may hold any text.
fn opaque(header: &[u8]) -> &[u8] {
    const NAME: &[u8] = b"\"opaque\":";
    let at = header.windows(NAME.len()).rposition(|window| window == NAME).unwrap() + NAME.len();
    let length = header[at..].iter().position(|byte| !byte.is_ascii_digit() && *byte != b'-').unwrap();
    &header[at..at + length]
}

fn answer(output: &mut Vec<u8>, opaque: &[u8]) {
    let start = output.len();
    output.extend_from_slice(ANSWER);
    let header = u32::try_from(ANSWER.len() - 8).unwrap();
    output[start..start + 4].copy_from_slice(&(header + 4).to_be_bytes());
    output[start + 4..start + 8].copy_from_slice(&header.to_be_bytes());
    let digits = output.len() - 1 - OPAQUE_DIGITS;
    output[digits..digits + opaque.len()].copy_from_slice(opaque);
}
