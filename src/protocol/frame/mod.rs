//! Bytes to frames and back, one at a time, from a buffer that grows as it likes.
//!
//! ```text
//! | length i32 | word i32                      | header        | body ...  |
//! |            | serialize type u8, length u24 | JSON / binary | as it is  |
//! ```
//!
//! `length` counts what follows it. Follows Java's `NettyDecoder` and `RemotingCommand`.
//!
//! Invariants: a frame costs its bytes once, the body stays where it was read; a decision is made as soon as its bytes are
//! there, so a hostile length is refused after four bytes and never allocated. Must not know what a code means, except that
//! the binary header cuts codes to 16 bits.

mod binary;
mod json;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::command::{Body, Command, Serialization};

/// Longest frame in bytes, its length word included: `com.rocketmq.remoting.frameMaxLength` of Java's decoder.
pub const MAX_FRAME: usize = 16_777_216;

/// Most header fields of one frame. Java has no limit; stock clients send about twenty.
pub const MAX_EXT_FIELDS: usize = 1024;

/// Bytes before the header: length and header word.
const PREFIX: usize = 8;

/// Why the bytes on a connection are not a frame; the connection cannot be understood any further and must be closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The first bytes are a TLS ClientHello.
    #[error("the peer speaks TLS, this port expects plain frames")]
    Tls,
    /// The first bytes are an HTTP request line or a PROXY protocol header.
    #[error("the peer starts with {first:?}, which is not a frame")]
    OtherProtocol {
        /// The first four bytes as text.
        first: String,
    },
    /// The length word is negative or above [`MAX_FRAME`].
    #[error("a frame of {length} bytes is outside 4..={} bytes", MAX_FRAME - 4)]
    Length {
        /// The length word.
        length: i32,
    },
    /// The header does not end within its frame.
    #[error("a header of {header} bytes does not fit in a frame of {frame} bytes")]
    HeaderLength {
        /// Bytes of the header.
        header: usize,
        /// Bytes after the header word.
        frame: usize,
    },
    /// The serialize type is neither JSON (0) nor binary (1).
    #[error("serialize type {0} is neither JSON (0) nor ROCKETMQ (1)")]
    SerializeType(u8),
    /// The JSON header cannot be read.
    #[error("JSON header: {0}")]
    Json(String),
    /// A length inside the binary header points outside of it.
    #[error("binary header: {field} of {length} bytes with {left} bytes left")]
    BinaryLength {
        /// What the length belongs to.
        field: &'static str,
        /// The length as read.
        length: i32,
        /// Bytes left in the enclosing part.
        left: usize,
    },
    /// Text of the binary header is not UTF-8.
    #[error("binary header: {field} is not UTF-8")]
    NotUtf8 {
        /// Which text.
        field: &'static str,
    },
    /// More than [`MAX_EXT_FIELDS`] header fields.
    #[error("more than {MAX_EXT_FIELDS} header fields")]
    TooManyFields,
}

/// Takes the first frame off `input`: `None` when it is not complete yet.
///
/// The body shares the buffer of `input`. After an error `input` is unchanged.
///
/// # Errors
/// [`FrameError`] when the bytes can never become a frame, however many follow.
pub fn decode(input: &mut BytesMut) -> Result<Option<Command>, FrameError> {
    let Some(length) = frame_length(input)? else {
        return Ok(None);
    };
    let Some(word) = word_at(input, 4) else {
        return Ok(None);
    };
    let [kind, high, middle, low] = word;
    let serialization = match kind {
        0 => Serialization::Json,
        1 => Serialization::Binary,
        other => return Err(FrameError::SerializeType(other)),
    };
    let header_length = u32::from_be_bytes([0, high, middle, low]) as usize;
    if header_length > length - 4 {
        return Err(FrameError::HeaderLength { header: header_length, frame: length - 4 });
    }
    let Some(header) = input.get(PREFIX..PREFIX + header_length) else {
        return Ok(None);
    };
    let end = 4 + length;
    if input.len() < end {
        return Ok(None);
    }
    let mut command = match serialization {
        Serialization::Json => json::decode(header)?,
        Serialization::Binary => binary::decode(header)?,
    };
    command.serialization = serialization;
    command.body = take_body(input, PREFIX + header_length, end);
    Ok(Some(command))
}

/// The checked length word: bytes after itself, at least the header word.
fn frame_length(input: &[u8]) -> Result<Option<usize>, FrameError> {
    let Some(first) = word_at(input, 0) else {
        return Ok(None);
    };
    let length = i32::from_be_bytes(first);
    match usize::try_from(length) {
        Ok(length) if (4..=MAX_FRAME - 4).contains(&length) => Ok(Some(length)),
        _ => Err(not_a_frame(first)),
    }
}

/// What a length outside the limits really is: the usual wrong protocols all start with such a length.
fn not_a_frame(first: [u8; 4]) -> FrameError {
    const OTHERS: [&[u8; 4]; 10] =
        [b"GET ", b"POST", b"PUT ", b"HEAD", b"DELE", b"OPTI", b"CONN", b"PRI ", b"PROX", b"\r\n\r\n"];
    match first {
        [0x16, 0x03, ..] => FrameError::Tls,
        _ if OTHERS.contains(&&first) => {
            FrameError::OtherProtocol { first: String::from_utf8_lossy(&first).into_owned() }
        }
        _ => FrameError::Length { length: i32::from_be_bytes(first) },
    }
}

fn word_at(input: &[u8], position: usize) -> Option<[u8; 4]> {
    input.get(position..)?.first_chunk().copied()
}

fn take_body(input: &mut BytesMut, start: usize, end: usize) -> Body {
    if start == end {
        input.advance(end);
        return Body::Empty;
    }
    let mut frame = input.split_to(end).freeze();
    frame.advance(start);
    Body::One(frame)
}

/// Appends the length word, the header word and the header of `command`, so that the pieces of the body can follow in
/// the same vectored write without being copied.
///
/// The length word counts the body. The caller keeps the frame within [`MAX_FRAME`] (a broker's answers are bounded by its transfer limits);
/// a longer one would be refused by the peer. Panics if the header alone needs more than 24 bits of length, which no bounded remark can.
pub fn encode_head(command: &Command, out: &mut BytesMut) {
    let start = out.len();
    out.put_u64(0);
    match command.serialization {
        Serialization::Json => json::encode(command, out),
        Serialization::Binary => binary::encode(command, out),
    }
    let header = out.len() - start - PREFIX;
    assert!(header < 1 << 24, "a header of {header} bytes");
    let kind: u32 = match command.serialization {
        Serialization::Json => 0,
        Serialization::Binary => 1,
    };
    let length = u32::try_from(4 + header + command.body.len()).unwrap_or(u32::MAX);
    let word = kind << 24 | header as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    out[start + 4..start + PREFIX].copy_from_slice(&word.to_be_bytes());
}

/// Appends the whole frame, body included: for clients and tests, which send one piece.
pub fn encode(command: &Command, out: &mut BytesMut) {
    encode_head(command, out);
    for piece in command.body.pieces() {
        out.extend_from_slice(piece);
    }
}

/// The whole frame as bytes of its own.
#[must_use]
pub fn encode_to_bytes(command: &Command) -> Bytes {
    let mut out = BytesMut::new();
    encode(command, &mut out);
    out.freeze()
}

#[cfg(test)]
mod tests;
