//! Frames on a broker's HA port, big-endian, without magic or version.
//!
//! ```text
//! DefaultHAService (Java, static master and slave):
//!   slave  -> master   offset i64                                  first: where to begin; later ones acknowledge
//!   master -> slave    offset i64 | length i32 | bytes             length 0: a heartbeat
//! Between brokers of ours, after a greeting that no Java slave can send (its first number is never negative):
//!   slave  -> master   GREETING i32 | version u16 | flags u16 | broker id i64 | end i64
//!   master -> slave    GREETING i32 | version u16 | count u16 | end i64 | count x (epoch i32 | start i64)
//!   afterwards as above, with an epoch before each offset:
//!   slave  -> master   epoch i32 | offset i64
//!   master -> slave    epoch i32 | offset i64 | length i32 | bytes
//! Between members of a DLedger group the greetings have version 2 and go on, the leader's before its epochs:
//!   member -> leader   .. | term i32
//!   leader -> member   .. | term i32 | port u16 | address 16 bytes (IPv6, or IPv4 mapped to it): where it takes requests
//! ```
//!
//! Source: `DefaultHAClient`, `DefaultHAConnection`; reference/ha.md section 1. A Java master takes the greeting for an offset
//! and never answers it, so a slave of ours notices soon that it has to speak Java's dialect.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::ids::{BrokerId, PhysicalOffset};
use super::raft::Term;

/// The first four bytes of both greetings; as the beginning of an offset it would be negative.
pub const GREETING: i32 = i32::from_be_bytes([0x8D, b'Q', b'H', b'A']);

/// Version of the dialect between brokers of ours.
pub const VERSION: u16 = 1;

/// Version of the greetings between members of a DLedger group.
pub const VERSION_WITH_TERM: u16 = 2;

/// Bytes of a slave's greeting.
pub const HELLO_BYTES: usize = 24;

/// Bytes that follow in the greeting of a member.
pub const HELLO_TERM_BYTES: usize = 4;

/// Bytes of a master's greeting before its epochs.
pub const WELCOME_BYTES: usize = 16;

/// Bytes that follow in the greeting of a DLedger group's leader.
pub const WELCOME_TERM_BYTES: usize = 22;

/// Bytes of one epoch in a greeting.
pub const EPOCH_BYTES: usize = 12;

/// Epochs one greeting may carry; the newest are sent.
pub const EPOCHS_MAX: usize = 1_000;

/// The longest body a follower accepts: Java's `haTransferBatchSize` is 32 KiB and ours less than this.
pub const BODY_BYTES_MAX: usize = 16 << 20;

/// Which dialect a link speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Java's DefaultHA.
    Java,
    /// Ours: replicas have names and epochs.
    Ours,
}

impl Dialect {
    /// Bytes of a slave's report.
    #[must_use]
    pub fn report_bytes(self) -> usize {
        match self {
            Dialect::Java => 8,
            Dialect::Ours => 12,
        }
    }

    /// Bytes before the body of a master's frame.
    #[must_use]
    pub fn head_bytes(self) -> usize {
        match self {
            Dialect::Java => 12,
            Dialect::Ours => 16,
        }
    }
}

/// One epoch of a log: everything from `start` to the next epoch's start was written by one leader in one life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch {
    /// Its number; grows.
    pub number: i32,
    /// Its first byte.
    pub start: PhysicalOffset,
}

/// A slave's greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Who it is within its group.
    pub broker: BrokerId,
    /// The end of its log.
    pub end: PhysicalOffset,
    /// The term in which a member of a DLedger group follows.
    pub term: Option<Term>,
}

/// A master's greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The end of its log.
    pub end: PhysicalOffset,
    /// Its epochs, oldest first.
    pub epochs: Vec<Epoch>,
    /// What the leader of a DLedger group says besides.
    pub reign: Option<Reign>,
}

/// A leader of a DLedger group in one term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reign {
    /// The term.
    pub term: Term,
    /// Where it takes requests: its followers fetch tables there.
    pub requests: SocketAddr,
}

/// What a slave has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The epoch of the frame it follows; 0 in Java's dialect.
    pub epoch: i32,
    /// The end of its log.
    pub end: PhysicalOffset,
}

/// What stands before the bytes of a master's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The epoch the bytes belong to; 0 in Java's dialect.
    pub epoch: i32,
    /// Where the bytes begin.
    pub at: PhysicalOffset,
    /// How many follow; 0 is a heartbeat.
    pub length: usize,
}

/// Bytes that are none of these frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A length below zero or above [`BODY_BYTES_MAX`].
    #[error("a frame announces {0} bytes")]
    Length(i32),
    /// A greeting of a later version.
    #[error(
        "the other side speaks version {0} of the replication protocol, this program {VERSION}, and {VERSION_WITH_TERM} within DLedger groups"
    )]
    Version(u16),
    /// Not a greeting, or more epochs than one may carry.
    #[error("not a greeting of a broker")]
    Greeting,
}

impl Hello {
    /// As bytes.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HELLO_BYTES + HELLO_TERM_BYTES);
        bytes.extend_from_slice(&GREETING.to_be_bytes());
        bytes.extend_from_slice(&version(self.term).to_be_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.broker.0.to_be_bytes());
        bytes.extend_from_slice(&self.end.0.to_be_bytes());
        bytes.extend(self.term.iter().flat_map(|term| term.0.to_be_bytes()));
        bytes
    }

    /// Whether [`HELLO_TERM_BYTES`] follow the first bytes, which begin with [`GREETING`].
    ///
    /// # Errors
    /// [`FrameError::Version`] or [`FrameError::Greeting`].
    pub fn has_term(bytes: &[u8; HELLO_BYTES]) -> Result<bool, FrameError> {
        check_greeting(bytes)
    }

    /// From the first bytes, and those that follow in the greeting of a member.
    #[must_use]
    pub fn decode(bytes: &[u8; HELLO_BYTES], term: Option<[u8; HELLO_TERM_BYTES]>) -> Hello {
        Hello {
            broker: BrokerId(i64_at(bytes, 8)),
            end: PhysicalOffset(i64_at(bytes, 16)),
            term: term.map(|bytes| Term(i32::from_be_bytes(bytes))),
        }
    }
}

impl Welcome {
    /// As bytes, with the newest [`EPOCHS_MAX`] epochs.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let epochs = &self.epochs[self.epochs.len().saturating_sub(EPOCHS_MAX)..];
        let mut bytes = Vec::with_capacity(WELCOME_BYTES + WELCOME_TERM_BYTES + epochs.len() * EPOCH_BYTES);
        bytes.extend_from_slice(&GREETING.to_be_bytes());
        bytes.extend_from_slice(&version(self.reign.map(|reign| reign.term)).to_be_bytes());
        // At most EPOCHS_MAX.
        bytes.extend_from_slice(&u16::try_from(epochs.len()).unwrap_or(0).to_be_bytes());
        bytes.extend_from_slice(&self.end.0.to_be_bytes());
        if let Some(reign) = self.reign {
            bytes.extend_from_slice(&reign.encode());
        }
        for epoch in epochs {
            bytes.extend_from_slice(&epoch.number.to_be_bytes());
            bytes.extend_from_slice(&epoch.start.0.to_be_bytes());
        }
        bytes
    }

    /// The number of epochs that follow the first [`WELCOME_BYTES`], and whether [`WELCOME_TERM_BYTES`] come before them.
    ///
    /// # Errors
    /// [`FrameError::Version`] or [`FrameError::Greeting`].
    pub fn epochs_in(bytes: &[u8; WELCOME_BYTES]) -> Result<(usize, bool), FrameError> {
        let has_term = check_greeting(bytes)?;
        let count = usize::from(u16::from_be_bytes([bytes[6], bytes[7]]));
        if count > EPOCHS_MAX { Err(FrameError::Greeting) } else { Ok((count, has_term)) }
    }

    /// From the first bytes, those of a group's leader, and those of the epochs, whose number [`Welcome::epochs_in`] gave.
    #[must_use]
    pub fn decode(head: &[u8; WELCOME_BYTES], reign: Option<&[u8; WELCOME_TERM_BYTES]>, epochs: &[u8]) -> Welcome {
        let epoch = |bytes: &[u8]| Epoch { number: i32_at(bytes, 0), start: PhysicalOffset(i64_at(bytes, 4)) };
        Welcome {
            end: PhysicalOffset(i64_at(head, 8)),
            epochs: epochs.chunks_exact(EPOCH_BYTES).map(epoch).collect(),
            reign: reign.map(Reign::decode),
        }
    }
}

impl Reign {
    fn encode(self) -> [u8; WELCOME_TERM_BYTES] {
        let ip = match self.requests.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let mut bytes = [0; WELCOME_TERM_BYTES];
        bytes[..4].copy_from_slice(&self.term.0.to_be_bytes());
        bytes[4..6].copy_from_slice(&self.requests.port().to_be_bytes());
        bytes[6..].copy_from_slice(&ip.octets());
        bytes
    }

    fn decode(bytes: &[u8; WELCOME_TERM_BYTES]) -> Reign {
        let mut octets = [0; 16];
        octets.copy_from_slice(&bytes[6..]);
        let port = u16::from_be_bytes([bytes[4], bytes[5]]);
        let requests = SocketAddr::new(Ipv6Addr::from(octets).to_canonical(), port);
        Reign { term: Term(i32_at(bytes, 0)), requests }
    }
}

impl Report {
    /// Appends it to `out`.
    pub fn encode(self, dialect: Dialect, out: &mut Vec<u8>) {
        if dialect == Dialect::Ours {
            out.extend_from_slice(&self.epoch.to_be_bytes());
        }
        out.extend_from_slice(&self.end.0.to_be_bytes());
    }

    /// The first report in `bytes`, if it is whole.
    #[must_use]
    pub fn decode(dialect: Dialect, bytes: &[u8]) -> Option<Report> {
        let bytes = bytes.get(..dialect.report_bytes())?;
        Some(match dialect {
            Dialect::Java => Report { epoch: 0, end: PhysicalOffset(i64_at(bytes, 0)) },
            Dialect::Ours => Report { epoch: i32_at(bytes, 0), end: PhysicalOffset(i64_at(bytes, 4)) },
        })
    }
}

impl Head {
    /// Appends it to `out`.
    pub fn encode(self, dialect: Dialect, out: &mut Vec<u8>) {
        if dialect == Dialect::Ours {
            out.extend_from_slice(&self.epoch.to_be_bytes());
        }
        out.extend_from_slice(&self.at.0.to_be_bytes());
        // At most BODY_BYTES_MAX.
        out.extend_from_slice(&i32::try_from(self.length).unwrap_or(0).to_be_bytes());
    }

    /// The head of the frame that `bytes` begin with, if it is whole.
    ///
    /// # Errors
    /// [`FrameError::Length`].
    pub fn decode(dialect: Dialect, bytes: &[u8]) -> Result<Option<Head>, FrameError> {
        let Some(bytes) = bytes.get(..dialect.head_bytes()) else { return Ok(None) };
        let (epoch, rest) = match dialect {
            Dialect::Java => (0, bytes),
            Dialect::Ours => (i32_at(bytes, 0), &bytes[4..]),
        };
        let length = i32_at(rest, 8);
        match usize::try_from(length) {
            Ok(length) if length <= BODY_BYTES_MAX => {
                Ok(Some(Head { epoch, at: PhysicalOffset(i64_at(rest, 0)), length }))
            }
            _ => Err(FrameError::Length(length)),
        }
    }
}

fn version(term: Option<Term>) -> u16 {
    if term.is_some() { VERSION_WITH_TERM } else { VERSION }
}

/// Whether it is one with a term.
fn check_greeting(bytes: &[u8]) -> Result<bool, FrameError> {
    if i32_at(bytes, 0) != GREETING {
        return Err(FrameError::Greeting);
    }
    match u16::from_be_bytes([bytes[4], bytes[5]]) {
        VERSION => Ok(false),
        VERSION_WITH_TERM => Ok(true),
        other => Err(FrameError::Version(other)),
    }
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |chunk| i32::from_be_bytes(*chunk))
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |chunk| i64::from_be_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_frames_have_java_bytes() {
        let mut out = Vec::new();
        Report { epoch: 7, end: PhysicalOffset(0x0102_0304_0506_0708) }.encode(Dialect::Java, &mut out);
        Head { epoch: 7, at: PhysicalOffset(9), length: 3 }.encode(Dialect::Java, &mut out);
        let expected = [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 3];
        assert_eq!(out, expected);
        assert_eq!(
            Report::decode(Dialect::Java, &out),
            Some(Report { epoch: 0, end: PhysicalOffset(0x0102_0304_0506_0708) })
        );
        assert_eq!(
            Head::decode(Dialect::Java, &out[8..]),
            Ok(Some(Head { epoch: 0, at: PhysicalOffset(9), length: 3 }))
        );
    }

    #[test]
    fn our_frames_come_back_whole_and_pieces_of_them_wait() {
        let report = Report { epoch: 3, end: PhysicalOffset(77) };
        let head = Head { epoch: 3, at: PhysicalOffset(77), length: 5 };
        let (mut reports, mut heads) = (Vec::new(), Vec::new());
        report.encode(Dialect::Ours, &mut reports);
        head.encode(Dialect::Ours, &mut heads);
        assert_eq!(Report::decode(Dialect::Ours, &reports), Some(report));
        assert_eq!(Report::decode(Dialect::Ours, &reports[..11]), None);
        assert_eq!(Head::decode(Dialect::Ours, &heads), Ok(Some(head)));
        assert_eq!(Head::decode(Dialect::Ours, &heads[..15]), Ok(None));
    }

    #[test]
    fn lengths_from_the_network_are_bounded() {
        let head = |length: i32| [&[0; 8][..], &length.to_be_bytes()].concat();
        assert_eq!(Head::decode(Dialect::Java, &head(-1)), Err(FrameError::Length(-1)));
        let above = 1 + (16 << 20);
        assert_eq!(Head::decode(Dialect::Java, &head(above)), Err(FrameError::Length(above)));
    }

    #[test]
    fn greetings_come_back_and_are_no_offsets() {
        let check = |hello: Hello, length: usize| {
            let bytes = hello.encode();
            assert_eq!(bytes.len(), length);
            let (head, term) = bytes.split_first_chunk().unwrap();
            assert_eq!(Hello::has_term(head), Ok(hello.term.is_some()));
            assert_eq!(Hello::decode(head, term.first_chunk().copied()), hello);
            assert!(Report::decode(Dialect::Java, &bytes).is_some_and(|report| report.end.0 < 0));
        };
        let hello = Hello { broker: BrokerId(2), end: PhysicalOffset(1 << 33), term: None };
        check(hello, 24);
        check(Hello { term: Some(Term(7)), ..hello }, 28);
    }

    #[test]
    fn welcomes_come_back() {
        let epoch = |number, start| Epoch { number, start: PhysicalOffset(start) };
        let epochs = vec![epoch(1, 0), epoch(4, 300)];
        let check = |reign: Option<Reign>| {
            let welcome = Welcome { end: PhysicalOffset(500), epochs: epochs.clone(), reign };
            let bytes = welcome.encode();
            let (head, rest) = bytes.split_first_chunk().unwrap();
            assert_eq!(Welcome::epochs_in(head), Ok((2, reign.is_some())));
            let (reign, rest) = match reign {
                None => (None, rest),
                Some(_) => rest.split_first_chunk().map(|(reign, rest)| (Some(reign), rest)).unwrap(),
            };
            assert_eq!(Welcome::decode(head, reign, rest), welcome);
        };
        check(None);
        for requests in ["127.0.0.1:10911", "[::1]:10911"] {
            check(Some(Reign { term: Term(4), requests: requests.parse().unwrap() }));
        }
    }

    #[test]
    fn other_versions_and_other_bytes_are_no_greetings() {
        let welcome = Welcome { end: PhysicalOffset(500), epochs: Vec::new(), reign: None }.encode();
        let mut later: [u8; WELCOME_BYTES] = *welcome.first_chunk().unwrap();
        later[5] = 3;
        assert_eq!(Welcome::epochs_in(&later), Err(FrameError::Version(3)));
        assert_eq!(Welcome::epochs_in(&[0; WELCOME_BYTES]), Err(FrameError::Greeting));
    }
}
