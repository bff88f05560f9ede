//! Letters: messages of several groups on the one stream between two containers, many in one frame.

use std::sync::Arc;

use super::codec::Rest;
use super::{MemberId, Message, MessageError};

/// The first four bytes of a stream of members; as the beginning of an offset negative, and none of [`crate::protocol::ha::GREETING`].
pub const GREETING: i32 = i32::from_be_bytes([0x8D, b'Q', b'M', b'B']);

/// Version of everything on the stream.
pub const VERSION: u16 = 1;

/// Bytes of a greeting.
pub const GREETING_BYTES: usize = 24;

/// Bytes before the letters of a frame: how many follow, how many letters.
pub const FRAME_HEAD_BYTES: usize = 6;

/// Bytes of a frame at most, its length included.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

/// Letters of one frame at most.
pub const LETTERS_MAX: usize = 1_024;

/// Bytes of a group's name at most (Java's topic and group names have 255 at most).
pub const GROUP_BYTES_MAX: usize = 255;

/// A message of one group on its way between two containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// `dLegerGroup`.
    pub group: Arc<str>,
    /// Who says it.
    pub from: MemberId,
    /// To whom.
    pub to: MemberId,
    /// What.
    pub message: Message,
}

/// What each side of a stream says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The container's process: drawn at its start, so that a stream to oneself and a new life are noticed.
    pub container: u128,
}

/// Bytes that are no frame of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    /// Another beginning.
    #[error("not the greeting of a member")]
    Greeting,
    /// A later version.
    #[error("the other side speaks version {0} of the members' protocol, this program version {VERSION}")]
    Version(u16),
    /// A frame is longer than [`FRAME_BYTES_MAX`] or shorter than its head.
    #[error("a frame of members announces {0} bytes")]
    Length(u32),
    /// More letters than [`LETTERS_MAX`].
    #[error("a frame of members announces {0} letters")]
    Count(u16),
    /// The name of a group is empty, too long or not UTF-8.
    #[error("not the name of a group")]
    Group,
    /// A letter holds no message.
    #[error(transparent)]
    Message(#[from] MessageError),
}

impl Greeting {
    /// As bytes.
    #[must_use]
    pub fn encode(self) -> [u8; GREETING_BYTES] {
        let mut bytes = [0; GREETING_BYTES];
        bytes[..4].copy_from_slice(&GREETING.to_be_bytes());
        bytes[4..6].copy_from_slice(&VERSION.to_be_bytes());
        bytes[8..].copy_from_slice(&self.container.to_be_bytes());
        bytes
    }

    /// From bytes.
    ///
    /// # Errors
    /// [`LetterError::Greeting`] or [`LetterError::Version`].
    pub fn decode(bytes: &[u8; GREETING_BYTES]) -> Result<Greeting, LetterError> {
        let mut rest = Rest(bytes);
        if rest.take().map(i32::from_be_bytes)? != GREETING {
            return Err(LetterError::Greeting);
        }
        let (version, _flags) = (rest.u16()?, rest.u16()?);
        match version {
            VERSION => Ok(Greeting { container: rest.take().map(u128::from_be_bytes)? }),
            other => Err(LetterError::Version(other)),
        }
    }
}

/// Appends one frame to `out` with as many of the letters as it may hold, from the first on: how many that were.
///
/// A letter whose group has no lawful name is left out and counts as taken.
pub fn encode_frame(letters: &[Letter], out: &mut Vec<u8>) -> usize {
    let begin = out.len();
    out.extend_from_slice(&[0; FRAME_HEAD_BYTES]);
    let (mut taken, mut count) = (0, 0_u16);
    for letter in letters.iter().take(LETTERS_MAX) {
        let before = out.len();
        let is_lawful = put_letter(letter, out);
        if out.len() - begin > FRAME_BYTES_MAX {
            out.truncate(before);
            break;
        }
        taken += 1;
        count += u16::from(is_lawful);
    }
    // At most FRAME_BYTES_MAX.
    let length = u32::try_from(out.len() - begin - 4).unwrap_or(u32::MAX);
    out[begin..begin + 4].copy_from_slice(&length.to_be_bytes());
    out[begin + 4..begin + 6].copy_from_slice(&count.to_be_bytes());
    taken
}

/// `group length u16 | group | from u32 | to u32 | message length u16 | message`.
fn put_letter(letter: &Letter, out: &mut Vec<u8>) -> bool {
    let Letter { group, from, to, message } = letter;
    let length = match u16::try_from(group.len()) {
        Ok(length) if (1..=GROUP_BYTES_MAX).contains(&group.len()) => length,
        _ => return false,
    };
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(group.as_bytes());
    out.extend_from_slice(&from.0.to_be_bytes());
    out.extend_from_slice(&to.0.to_be_bytes());
    let at = out.len();
    out.extend_from_slice(&[0; 2]);
    message.encode(out);
    // MEMBERS_MAX bounds it to some 200 bytes.
    let length = u16::try_from(out.len() - at - 2).unwrap_or(u16::MAX);
    out[at..at + 2].copy_from_slice(&length.to_be_bytes());
    true
}

/// The length of the frame that `bytes` begin with, its first four bytes included; `None` while those are not all there.
///
/// # Errors
/// [`LetterError::Length`].
pub fn frame_length(bytes: &[u8]) -> Result<Option<usize>, LetterError> {
    let Some(first) = bytes.first_chunk() else { return Ok(None) };
    let stated = u32::from_be_bytes(*first);
    match usize::try_from(stated) {
        Ok(length) if (FRAME_HEAD_BYTES - 4..=FRAME_BYTES_MAX - 4).contains(&length) => Ok(Some(length + 4)),
        _ => Err(LetterError::Length(stated)),
    }
}

/// The letters of one whole frame, its length included.
///
/// # Errors
/// [`LetterError`]; the stream cannot be trusted any more.
pub fn decode_frame(frame: &[u8]) -> Result<Vec<Letter>, LetterError> {
    let mut rest = Rest(frame);
    let stated: u32 = rest.take().map(u32::from_be_bytes)?;
    if usize::try_from(stated).ok() != Some(rest.0.len()) {
        return Err(LetterError::Length(stated));
    }
    let count = rest.u16()?;
    if usize::from(count) > LETTERS_MAX {
        return Err(LetterError::Count(count));
    }
    let mut letters = Vec::new();
    for _ in 0..count {
        letters.push(letter(&mut rest)?);
    }
    match rest.0.len() {
        0 => Ok(letters),
        left => Err(MessageError::Long(left).into()),
    }
}

fn letter(rest: &mut Rest<'_>) -> Result<Letter, LetterError> {
    let length = usize::from(rest.u16()?);
    if !(1..=GROUP_BYTES_MAX).contains(&length) {
        return Err(LetterError::Group);
    }
    let group = std::str::from_utf8(rest.slice(length)?).map_err(|_| LetterError::Group)?;
    let (from, to) = (rest.member()?, rest.member()?);
    let length = usize::from(rest.u16()?);
    Ok(Letter { group: group.into(), from, to, message: Message::decode(rest.slice(length)?)? })
}
