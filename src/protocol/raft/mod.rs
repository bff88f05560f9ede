//! What the members of a DLedger group say to each other, and its bytes. Pure.
//!
//! ```text
//! MEMBERS i32 | version u16 | flags u16 | container u128        once in each direction, first bytes of a stream
//! length u32 | 0xFFFF u16 | count u16 | count x member         then, and after every change: who is there (roster.rs)
//! length u32 | count u16 | count x letter                      afterwards: all letters of one tick for one container
//! letter = group (u16 + UTF-8) | from u32 | to u32 | message   (codec.rs)
//! ```
//!
//! The words are here because they are on the wire; what they mean is the page of the folder `raft`.
//! Invariants: decode(encode(x)) == x; no bytes panic or allocate more than they are.

mod codec;
mod letters;
mod membership;
mod message;
mod roster;

#[cfg(test)]
mod tests;

use std::fmt;

use super::ids::PhysicalOffset;

pub use codec::MessageError;
pub use letters::{
    FRAME_BYTES_MAX, FRAME_HEAD_BYTES, GREETING, GREETING_BYTES, GROUP_BYTES_MAX, Greeting, LETTERS_MAX, Letter,
    LetterError, VERSION, decode_frame, encode_frame, frame_length,
};
pub use membership::{MEMBERS_MAX, Membership, MembershipId};
pub use message::Message;
pub use roster::{Frame, Life, ROSTER_MAX, Roster};

/// A term of a group: Raft's `currentTerm`, and the number of the [`super::ha::Epoch`] its leader writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(pub i32);

impl Term {
    /// The one after it.
    ///
    /// # Panics
    /// After two billion elections.
    #[must_use]
    pub fn next(self) -> Term {
        assert!(self.0 < i32::MAX, "the terms of this group are used up");
        Term(self.0 + 1)
    }
}

/// A member within its group: the digits of `dLegerSelfId`, `n0` is 0 (Java: `DLedgerCommitLog`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u32);

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for MemberId {
    /// As in `dLegerPeers`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// The end of a log as an election compares it: Raft's (lastLogTerm, lastLogIndex), in that order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogEnd {
    /// The epoch of its last byte; 0 of an empty log.
    pub epoch: Term,
    /// Its written end.
    pub end: PhysicalOffset,
}
