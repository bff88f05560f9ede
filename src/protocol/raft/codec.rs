//! The bytes of a message, big-endian; their version is that of the stream's greeting.
//!
//! ```text
//! PreVote 1          term i32 | log | membership
//! PreVoteAnswer 2    term i32 | asked i32 | granted u8 | membership
//! Vote 3             term i32 | log | takes over u8 | membership
//! VoteAnswer 4       term i32 | granted u8
//! Heartbeat 5        term i32 | sent i64 | committed i64 | membership
//! HeartbeatAnswer 6  term i32 | sent i64 | id
//! TakeOver 7         term i32
//! log = epoch i32 | end i64      id = term i32 | version u64
//! membership = id | voters u8 | learners u8 | voters x member u32 | learners x member u32     both in growing order
//! ```
//!
//! Members in growing order and 0 or 1 for what is true, nothing else: a message has one form only.

use std::collections::BTreeSet;

use super::{LogEnd, MEMBERS_MAX, MemberId, Membership, MembershipId, Message, Term};
use crate::protocol::ids::{Millis, PhysicalOffset};

/// Bytes that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// They end too early.
    #[error("a message ends before it is whole")]
    Short,
    /// Bytes are left over.
    #[error("{0} bytes follow a message")]
    Long(usize),
    /// No message begins so.
    #[error("no message has kind {0}")]
    Kind(u8),
    /// More than [`MEMBERS_MAX`], not in growing order, or one as voter and learner.
    #[error("not a list of members")]
    Members,
    /// Neither 0 nor 1.
    #[error("{0} is neither true nor false")]
    Truth(u8),
    /// A term or a position below zero.
    #[error("a term or a position is below zero")]
    Negative,
}

impl Message {
    /// Appends its bytes to `out`.
    ///
    /// # Panics
    /// With more than [`MEMBERS_MAX`] members, which Raft's state never has.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.kind());
        put_term(self.term(), out);
        match self {
            Message::PreVote { log, membership, .. } => {
                put_log(*log, out);
                put_membership(membership, out);
            }
            Message::PreVoteAnswer { asked, granted, membership, .. } => {
                put_term(*asked, out);
                out.push(u8::from(*granted));
                put_membership(membership, out);
            }
            Message::Vote { log, membership, takes_over, .. } => {
                put_log(*log, out);
                out.push(u8::from(*takes_over));
                put_membership(membership, out);
            }
            Message::VoteAnswer { granted, .. } => out.push(u8::from(*granted)),
            Message::Heartbeat { sent, committed, membership, .. } => {
                out.extend_from_slice(&sent.0.to_be_bytes());
                out.extend_from_slice(&committed.0.to_be_bytes());
                put_membership(membership, out);
            }
            Message::HeartbeatAnswer { sent, membership, .. } => {
                out.extend_from_slice(&sent.0.to_be_bytes());
                put_id(*membership, out);
            }
            Message::TakeOver { .. } => {}
        }
    }

    /// The message that these bytes are, no more and no less.
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn decode(bytes: &[u8]) -> Result<Message, MessageError> {
        let mut rest = Rest(bytes);
        let kind = rest.u8()?;
        let term = rest.term()?;
        let message = match kind {
            1 => Message::PreVote { term, log: rest.log()?, membership: rest.membership()? },
            2 => {
                let (asked, granted) = (rest.term()?, rest.truth()?);
                Message::PreVoteAnswer { term, asked, granted, membership: rest.membership()? }
            }
            3 => {
                let (log, takes_over) = (rest.log()?, rest.truth()?);
                Message::Vote { term, log, membership: rest.membership()?, takes_over }
            }
            4 => Message::VoteAnswer { term, granted: rest.truth()? },
            5 => {
                let (sent, committed) = (Millis(rest.i64()?), rest.position()?);
                Message::Heartbeat { term, sent, committed, membership: rest.membership()? }
            }
            6 => Message::HeartbeatAnswer { term, sent: Millis(rest.i64()?), membership: rest.id()? },
            7 => Message::TakeOver { term },
            other => return Err(MessageError::Kind(other)),
        };
        match rest.0.len() {
            0 => Ok(message),
            left => Err(MessageError::Long(left)),
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Message::PreVote { .. } => 1,
            Message::PreVoteAnswer { .. } => 2,
            Message::Vote { .. } => 3,
            Message::VoteAnswer { .. } => 4,
            Message::Heartbeat { .. } => 5,
            Message::HeartbeatAnswer { .. } => 6,
            Message::TakeOver { .. } => 7,
        }
    }
}

fn put_term(term: Term, out: &mut Vec<u8>) {
    out.extend_from_slice(&term.0.to_be_bytes());
}

fn put_log(log: LogEnd, out: &mut Vec<u8>) {
    put_term(log.epoch, out);
    out.extend_from_slice(&log.end.0.to_be_bytes());
}

fn put_id(id: MembershipId, out: &mut Vec<u8>) {
    put_term(id.term, out);
    out.extend_from_slice(&id.version.to_be_bytes());
}

fn put_membership(membership: &Membership, out: &mut Vec<u8>) {
    let Membership { id, voters, learners } = membership;
    assert!(voters.len() + learners.len() <= MEMBERS_MAX, "a group has at most {MEMBERS_MAX} members");
    put_id(*id, out);
    for list in [voters, learners] {
        // At most MEMBERS_MAX.
        out.push(u8::try_from(list.len()).unwrap_or(u8::MAX));
    }
    for member in voters.iter().chain(learners) {
        out.extend_from_slice(&member.0.to_be_bytes());
    }
}

/// What is still to be read.
pub(super) struct Rest<'a>(pub(super) &'a [u8]);

impl<'a> Rest<'a> {
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], MessageError> {
        let (first, rest) = self.0.split_first_chunk().ok_or(MessageError::Short)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn slice(&mut self, length: usize) -> Result<&'a [u8], MessageError> {
        let (first, rest) = self.0.split_at_checked(length).ok_or(MessageError::Short)?;
        self.0 = rest;
        Ok(first)
    }

    pub(super) fn u8(&mut self) -> Result<u8, MessageError> {
        self.take().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, MessageError> {
        self.take().map(u16::from_be_bytes)
    }

    pub(super) fn member(&mut self) -> Result<MemberId, MessageError> {
        self.take().map(|bytes| MemberId(u32::from_be_bytes(bytes)))
    }

    fn i64(&mut self) -> Result<i64, MessageError> {
        self.take().map(i64::from_be_bytes)
    }

    fn position(&mut self) -> Result<PhysicalOffset, MessageError> {
        match self.i64()? {
            below if below < 0 => Err(MessageError::Negative),
            position => Ok(PhysicalOffset(position)),
        }
    }

    fn term(&mut self) -> Result<Term, MessageError> {
        match self.take().map(i32::from_be_bytes)? {
            below if below < 0 => Err(MessageError::Negative),
            term => Ok(Term(term)),
        }
    }

    fn truth(&mut self) -> Result<bool, MessageError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(MessageError::Truth(other)),
        }
    }

    fn log(&mut self) -> Result<LogEnd, MessageError> {
        Ok(LogEnd { epoch: self.term()?, end: self.position()? })
    }

    fn id(&mut self) -> Result<MembershipId, MessageError> {
        Ok(MembershipId { term: self.term()?, version: self.take().map(u64::from_be_bytes)? })
    }

    fn membership(&mut self) -> Result<Membership, MessageError> {
        let id = self.id()?;
        let (voters, learners) = (usize::from(self.u8()?), usize::from(self.u8()?));
        if voters + learners > MEMBERS_MAX {
            return Err(MessageError::Members);
        }
        let membership = Membership { id, voters: self.members(voters)?, learners: self.members(learners)? };
        match membership.voters.is_disjoint(&membership.learners) {
            true => Ok(membership),
            false => Err(MessageError::Members),
        }
    }

    fn members(&mut self, count: usize) -> Result<BTreeSet<MemberId>, MessageError> {
        let mut members = BTreeSet::new();
        for _ in 0..count {
            let member = self.member()?;
            if members.last().is_some_and(|last| *last >= member) {
                return Err(MessageError::Members);
            }
            members.insert(member);
        }
        Ok(members)
    }
}
