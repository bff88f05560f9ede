//! What a member must not forget.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{MEMBERS_MAX, MemberId, Membership, MembershipId, Term};

/// What must be on disk before any promise that depends on it: Raft's persistent state without the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hard {
    /// `currentTerm`.
    pub term: Term,
    /// `votedFor` in that term.
    pub voted_for: Option<MemberId>,
    /// The members.
    pub membership: Membership,
}

/// The file `raftState` cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("raftState is wrong: {0}")]
pub struct HardFileError(&'static str);

impl Hard {
    /// The content of the file `raftState`: a line for each fact, the last one a CRC-32 of those before.
    ///
    /// ```text
    /// term=7
    /// votedFor=n1                  empty: nobody
    /// membership=7-3               term-version
    /// voters=n0;n1;n2
    /// learners=
    /// crc=1234567890
    /// ```
    #[must_use]
    pub fn to_file(&self) -> String {
        let list = |members: &BTreeSet<MemberId>| members.iter().map(ToString::to_string).collect::<Vec<_>>().join(";");
        let Membership { id, voters, learners } = &self.membership;
        let mut lines = String::new();
        // Writing to a string does not fail.
        let _infallible = write!(
            lines,
            "term={}\nvotedFor={}\nmembership={}-{}\nvoters={}\nlearners={}\n",
            self.term,
            self.voted_for.map(|member| member.to_string()).unwrap_or_default(),
            id.term,
            id.version,
            list(voters),
            list(learners)
        );
        let crc = crc32fast::hash(lines.as_bytes());
        format!("{lines}crc={crc}\n")
    }

    /// From that content.
    ///
    /// # Errors
    /// [`HardFileError`]: a member without its vote must not take part; the operator removes it from the group and adds it again.
    pub fn from_file(text: &str) -> Result<Hard, HardFileError> {
        let wrong = HardFileError;
        let (lines, stated) = text.rsplit_once("crc=").ok_or(wrong("no line with a CRC"))?;
        let stated: u32 = stated.trim_end().parse().map_err(|_| wrong("the CRC is not a number"))?;
        if stated != crc32fast::hash(lines.as_bytes()) {
            return Err(wrong("the CRC does not match"));
        }
        let mut lines = lines.lines();
        let mut value = |key: &'static str| {
            lines.next().and_then(|line| line.strip_prefix(key)?.strip_prefix('=')).ok_or(wrong("a line is missing"))
        };
        let term = term(value("term")?)?;
        let voted_for = match value("votedFor")? {
            "" => None,
            text => Some(member(text)?),
        };
        let id = value("membership")?.split_once('-').ok_or(wrong("membership is not term-version"))?;
        let version = id.1.parse().map_err(|_| wrong("a version is not a number"))?;
        let id = MembershipId { term: self::term(id.0)?, version };
        let (voters, learners) = (members(value("voters")?)?, members(value("learners")?)?);
        if voters.len() + learners.len() > MEMBERS_MAX || !voters.is_disjoint(&learners) {
            return Err(wrong("too many members, or one twice"));
        }
        Ok(Hard { term, voted_for, membership: Membership { id, voters, learners } })
    }
}

fn term(text: &str) -> Result<Term, HardFileError> {
    text.parse().ok().filter(|term| *term >= 0).map(Term).ok_or(HardFileError("a term is not a number"))
}

fn member(text: &str) -> Result<MemberId, HardFileError> {
    text.strip_prefix('n').and_then(|digits| digits.parse().ok()).map(MemberId).ok_or(HardFileError("not a member"))
}

fn members(text: &str) -> Result<BTreeSet<MemberId>, HardFileError> {
    text.split(';').filter(|part| !part.is_empty()).map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hard: &Hard, text: &str) {
        let crc = crc32fast::hash(text.as_bytes());
        let file = format!("{text}crc={crc}\n");
        assert_eq!(hard.to_file(), file);
        assert_eq!(Hard::from_file(&file).as_ref(), Ok(hard));
    }

    #[test]
    fn the_file_comes_back() {
        check(&Hard::default(), "term=0\nvotedFor=\nmembership=0-0\nvoters=\nlearners=\n");
        let mut hard = Hard { term: Term(7), voted_for: Some(MemberId(1)), ..Hard::default() };
        hard.membership = Membership::first([MemberId(0), MemberId(1), MemberId(12)]);
        hard.membership.learners.insert(MemberId(3));
        check(&hard, "term=7\nvotedFor=n1\nmembership=0-1\nvoters=n0;n1;n12\nlearners=n3\n");
    }

    #[test]
    fn every_cut_and_every_turned_byte_is_noticed() {
        let file = Hard { term: Term(7), voted_for: Some(MemberId(1)), membership: Membership::first([MemberId(1)]) };
        let file = file.to_file();
        for end in 0..file.len() - 1 {
            assert!(Hard::from_file(&file[..end]).is_err(), "{end}");
        }
        for at in 0..file.len() - 1 {
            let mut bytes = file.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(Hard::from_file(&String::from_utf8(bytes).unwrap()).is_err(), "{at}");
        }
    }
}
