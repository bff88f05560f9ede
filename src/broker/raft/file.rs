//! What a member finds when it starts: `raftState`, or a directory that was a master's or a slave's until now.

use std::path::{Path, PathBuf};

use crate::config::Dledger;
use crate::env::Disk;
use crate::protocol::raft::{MemberId, Membership, Term};
use crate::raft::{Hard, HardFileError};
use crate::replication::epochs::Epochs;

/// How far behind the newest epoch of a master the terms of its new group begin. A master begins an epoch with each start; those of the last
/// starts may be unknown to its slaves, and a term with the number of one of them would be taken for it.
const TERMS_BEHIND_EPOCHS: i32 = 1_000;

/// Why a member does not know what it has promised.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be read or written.
    #[error("{}: {reason}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error.
        reason: String,
    },
    /// The file is damaged.
    #[error("{}: {reason}; without it this member could vote twice in a term: take it out of the group, empty its store, and add it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: HardFileError,
    },
}

/// What this member has promised, from `path`, and with `epochs` the newest in its log.
///
/// A directory without the file was no member's before: its terms begin behind its epochs. So do those of one that a master has written to since.
/// Whatever is new is on disk when this returns.
///
/// # Errors
/// [`StateError`].
pub fn open_state(disk: &dyn Disk, path: &Path, config: &Dledger, epochs: &Epochs) -> Result<Hard, StateError> {
    let io = |error: std::io::Error| StateError::Io { path: path.to_owned(), reason: error.to_string() };
    let saved = match disk.exists(path) {
        false => None,
        true => {
            let content = disk.read(path).map_err(io)?;
            let hard = Hard::from_file(&String::from_utf8_lossy(&content));
            Some(hard.map_err(|reason| StateError::Damaged { path: path.to_owned(), reason })?)
        }
    };
    let newest = epochs.newest().map(|epoch| Term(epoch.number));
    let hard = begin(saved.clone(), newest, config);
    if saved.as_ref() != Some(&hard) {
        disk.replace(path, hard.to_file().as_bytes(), None).map_err(io)?;
    }
    Ok(hard)
}

fn begin(saved: Option<Hard>, newest: Option<Term>, config: &Dledger) -> Hard {
    let is_used = |newest: &Term| saved.as_ref().is_none_or(|saved| saved.term < *newest);
    let behind = newest.filter(is_used).map(|newest| Term(newest.0.saturating_add(TERMS_BEHIND_EPOCHS)));
    let mut hard = saved.unwrap_or_else(|| Hard { membership: first_membership(config), ..Hard::default() });
    if let Some(term) = behind {
        (hard.term, hard.voted_for) = (term, None);
    }
    hard
}

/// A member that only learns is told by the leader who belongs to the group.
fn first_membership(config: &Dledger) -> Membership {
    match config.learners.contains(&config.me) {
        true => Membership::default(),
        false => Membership::first(config.voters().map(MemberId)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Peer;

    fn config(learners: &[u32]) -> Dledger {
        let peer = |member| Peer { member, address: format!("127.0.0.1:{}", 10_000 + member) };
        Dledger {
            group: "g".to_owned(),
            me: 2,
            peers: (0..3).map(peer).collect(),
            preferred: Vec::new(),
            learners: learners.to_vec(),
            heartbeat: Duration::from_millis(200),
            election_min: Duration::from_secs(1),
            election_max: Duration::from_secs(2),
        }
    }

    fn saved(term: i32, voted_for: Option<u32>) -> Hard {
        let membership = Membership::first([MemberId(7)]);
        Hard { term: Term(term), voted_for: voted_for.map(MemberId), membership }
    }

    fn check(found: Option<Hard>, newest: Option<i32>, expected: Hard) {
        assert_eq!(begin(found, newest.map(Term), &config(&[])), expected);
    }

    #[test]
    fn terms_begin_behind_the_epochs_of_a_master_and_go_on_otherwise() {
        let membership = Membership::first([0, 1, 2].map(MemberId));
        let new = |term: i32| Hard { term: Term(term), voted_for: None, membership: membership.clone() };
        check(None, None, new(0));
        check(None, Some(7), new(1_007));
        check(Some(saved(7, Some(1))), Some(7), saved(7, Some(1)));
        check(Some(saved(7, Some(1))), None, saved(7, Some(1)));
        // A master has written to it since.
        check(Some(saved(7, Some(1))), Some(9), saved(1_009, None));
    }

    #[test]
    fn a_learner_knows_nobody_at_first() {
        assert_eq!(first_membership(&config(&[2])), Membership::default());
        assert_eq!(first_membership(&config(&[1])), Membership::first([0, 2].map(MemberId)));
    }
}
