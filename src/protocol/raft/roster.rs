//! Which members are in a container: said once after the greeting, and whole again whenever it changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::codec::Rest;
use super::letters::{FRAME_HEAD_BYTES, GROUP_BYTES_MAX, LetterError};
use super::{Letter, MemberId, decode_frame};

/// Stands where a frame of letters has their number, which is at most [`super::LETTERS_MAX`].
const ROSTER: u16 = u16::MAX;

/// Members of one container at most.
pub const ROSTER_MAX: usize = 1_024;

/// The members in one container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster(pub BTreeMap<(Arc<str>, MemberId), Life>);

/// Which life of a member this is: grows whenever the container starts it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Life(pub u32);

/// What comes on a stream after the greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Letters; none of them is a sign of life.
    Letters(Vec<Letter>),
    /// Who is there now.
    Roster(Roster),
}

impl Roster {
    /// Appends it as one frame: `length u32 | ROSTER u16 | count u16 | count x (group u16 + UTF-8, member u32, life u32)`. Groups without a lawful
    /// name and members beyond [`ROSTER_MAX`] are left out.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(&[0; FRAME_HEAD_BYTES + 2]);
        let mut count = 0_u16;
        let lawful = self.0.iter().filter(|((group, _), _)| (1..=GROUP_BYTES_MAX).contains(&group.len()));
        for ((group, member), life) in lawful.take(ROSTER_MAX) {
            // At most GROUP_BYTES_MAX.
            out.extend_from_slice(&u16::try_from(group.len()).unwrap_or(0).to_be_bytes());
            out.extend_from_slice(group.as_bytes());
            out.extend_from_slice(&member.0.to_be_bytes());
            out.extend_from_slice(&life.0.to_be_bytes());
            count += 1;
        }
        // ROSTER_MAX times some 300 bytes.
        let length = u32::try_from(out.len() - begin - 4).unwrap_or(u32::MAX);
        out[begin..begin + 4].copy_from_slice(&length.to_be_bytes());
        out[begin + 4..begin + 6].copy_from_slice(&ROSTER.to_be_bytes());
        out[begin + 6..begin + 8].copy_from_slice(&count.to_be_bytes());
    }
}

impl Frame {
    /// From the bytes of one whole frame, whose length [`super::frame_length`] gave.
    ///
    /// # Errors
    /// [`LetterError`]; the stream cannot be trusted any more.
    pub fn decode(frame: &[u8]) -> Result<Frame, LetterError> {
        let mut rest = Rest(frame);
        let length: u32 = rest.take().map(u32::from_be_bytes)?;
        if rest.u16()? != ROSTER {
            return decode_frame(frame).map(Frame::Letters);
        }
        let count = rest.u16()?;
        if usize::from(count) > ROSTER_MAX {
            return Err(LetterError::Count(count));
        }
        let mut roster = Roster::default();
        for _ in 0..count {
            let length = usize::from(rest.u16()?);
            if !(1..=GROUP_BYTES_MAX).contains(&length) {
                return Err(LetterError::Group);
            }
            let group = std::str::from_utf8(rest.slice(length)?).map_err(|_| LetterError::Group)?;
            let member = rest.member()?;
            roster.0.insert((group.into(), member), Life(rest.take().map(u32::from_be_bytes)?));
        }
        if rest.0.is_empty() { Ok(Frame::Roster(roster)) } else { Err(LetterError::Length(length)) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LETTERS_MAX, Message, Term, encode_frame, frame_length};
    use super::*;

    fn roster(members: &[(&str, u32, u32)]) -> Roster {
        let entry = |(group, member, life): &(&str, u32, u32)| (((*group).into(), MemberId(*member)), Life(*life));
        Roster(members.iter().map(entry).collect())
    }

    #[test]
    fn frames_come_back_and_are_told_apart() {
        let check = |frame: Frame| {
            let mut bytes = Vec::new();
            match &frame {
                Frame::Roster(roster) => roster.encode(&mut bytes),
                Frame::Letters(letters) => assert_eq!(encode_frame(letters, &mut bytes), letters.len()),
            }
            assert_eq!(frame_length(&bytes), Ok(Some(bytes.len())));
            assert_eq!(Frame::decode(&bytes), Ok(frame));
        };
        check(Frame::Roster(Roster::default()));
        check(Frame::Roster(roster(&[("g", 0, 1), ("g", 2, u32::MAX), ("other group", 1, 7)])));
        let message = Message::TakeOver { term: Term(7) };
        check(Frame::Letters(vec![Letter { group: "g".into(), from: MemberId(1), to: MemberId(0), message }]));
        check(Frame::Letters(vec![]));
    }

    #[test]
    fn no_bytes_panic_and_none_pass_that_are_no_roster() {
        let mut bytes = Vec::new();
        roster(&[("g", 0, 1), ("h", 1, 1)]).encode(&mut bytes);
        for at in 0..bytes.len() {
            assert!(Frame::decode(&bytes[..at]).is_err(), "{at}");
            for value in [0, 1, 0x7F, 0xFF] {
                let mut other = bytes.clone();
                other[at] = value;
                let _whatever_it_is = Frame::decode(&other);
            }
        }
        assert_eq!(Frame::decode(&[&bytes[..], &[0]].concat()), Err(LetterError::Length(26)));
        bytes[6..8].copy_from_slice(&u16::try_from(LETTERS_MAX + 1).unwrap().to_be_bytes());
        assert_eq!(Frame::decode(&bytes), Err(LetterError::Count(1_025)));
    }
}
