//! How far each replica of a leader has come, and what that confirms. Pure.
//!
//! ```text
//!   links (sessions)        replicas                 asked
//!   s7 broker 1  900  ---\
//!   s9 broker 1  950  ----> broker 1: 950  ---\
//!   s8 10.0.0.7  400  ----> 10.0.0.7: 400  ----> held by 1 replica: 950, by 2: 400
//! ```
//!
//! Invariants: an acknowledgement counts once for a replica, however many links it has (Java counts links, so a slave that
//! reconnects counts twice); a report above what was sent to that link is no acknowledgement but nonsense, and ends the
//! link; what a replica held once it does not hold less of later, except after a cut of this log.
//!
//! A replica of ours says its broker id. A Java slave says nothing: all that can be told apart is the host it comes from, so the Java
//! slaves of one host count as one replica: that of its newest link.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::protocol::ids::{BrokerId, Millis, PhysicalOffset};
use crate::protocol::raft::Term;

/// One link to a follower, for the life of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Whose link it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Replica {
    /// A broker of ours, by its id within the group.
    Broker(BrokerId),
    /// Java slaves of one host.
    Host(IpAddr),
}

impl Replica {
    /// A word for metrics: a broker's id, or a host.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Replica::Broker(id) => id.to_string(),
            Replica::Host(host) => host.to_string(),
        }
    }
}

/// One link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose it is.
    pub replica: Replica,
    /// Its other end; `None` for a broker of the same process.
    pub remote: Option<SocketAddr>,
    /// Since when.
    pub since: Millis,
    /// The end the follower began with.
    pub began: PhysicalOffset,
    /// The end it has reported.
    pub acknowledged: PhysicalOffset,
    /// The term of the link, within a DLedger group.
    pub term: Option<Term>,
}

impl Session {
    /// The follower for reports: where it connects from, or for one of this process its id.
    #[must_use]
    pub fn name(&self) -> String {
        match (self.remote, self.replica) {
            (Some(remote), _) => remote.to_string(),
            (None, Replica::Broker(id)) => format!("broker {id} of this process"),
            (None, Replica::Host(host)) => host.to_string(),
        }
    }
}

/// All links of a leader.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    sessions: BTreeMap<SessionId, Session>,
}

impl Progress {
    /// A link opened.
    pub fn opened(&mut self, id: SessionId, session: Session) {
        self.sessions.insert(id, session);
    }

    /// A link is gone.
    pub fn closed(&mut self, id: SessionId) -> Option<Session> {
        self.sessions.remove(&id)
    }

    /// A follower has everything below `end`; the caller has checked it against what was sent.
    pub fn reported(&mut self, id: SessionId, end: PhysicalOffset) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.acknowledged = session.acknowledged.max(end);
        }
    }

    /// All links, oldest first.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.sessions.iter().map(|(id, session)| (*id, session))
    }

    /// The newest link of whoever speaks over this one.
    #[must_use]
    pub fn newest_of(&self, id: SessionId) -> Option<(SessionId, &Session)> {
        let replica = self.sessions.get(&id)?.replica;
        self.sessions().filter(|(_, session)| session.replica == replica).last()
    }

    /// What each replica holds, the one that holds most first.
    #[must_use]
    pub fn replicas(&self) -> Vec<PhysicalOffset> {
        let mut replicas: BTreeMap<Replica, PhysicalOffset> = BTreeMap::new();
        // Newest links first: of a host's links only the newest is known to belong to a slave that lives.
        for session in self.sessions.values().rev() {
            let held = replicas.entry(session.replica).or_insert(session.acknowledged);
            if let Replica::Broker(_) = session.replica {
                *held = session.acknowledged.max(*held);
            }
        }
        let mut held: Vec<PhysicalOffset> = replicas.into_values().collect();
        held.sort_unstable_by(|a, b| b.cmp(a));
        held
    }

    /// Up to where at least `replicas` followers hold the log; the leader itself is not among them. `None` when there are
    /// not that many.
    #[must_use]
    pub fn held_by(&self, replicas: usize) -> Option<PhysicalOffset> {
        match replicas.checked_sub(1) {
            None => Some(PhysicalOffset(i64::MAX)),
            Some(index) => self.replicas().get(index).copied(),
        }
    }

    /// Followers less than `gap_max` bytes behind `end` (Java: `inSyncSlaveNums`).
    #[must_use]
    pub fn in_sync(&self, end: PhysicalOffset, gap_max: i64) -> usize {
        self.replicas().into_iter().filter(|held| end - *held < gap_max).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(replica: Replica, acknowledged: i64) -> Session {
        Session {
            replica,
            remote: None,
            since: Millis(0),
            began: PhysicalOffset(0),
            acknowledged: PhysicalOffset(acknowledged),
            term: None,
        }
    }

    fn progress(sessions: &[(u64, Replica, i64)]) -> Progress {
        let mut progress = Progress::default();
        for &(id, replica, acknowledged) in sessions {
            progress.opened(SessionId(id), session(replica, acknowledged));
        }
        progress
    }

    fn check(progress: &Progress, held: &[i64]) {
        let found: Vec<i64> = progress.replicas().into_iter().map(|held| held.0).collect();
        assert_eq!(found, held);
        for (index, held) in held.iter().enumerate() {
            assert_eq!(progress.held_by(index + 1), Some(PhysicalOffset(*held)));
        }
        assert_eq!(progress.held_by(held.len() + 1), None);
        assert_eq!(progress.held_by(0), Some(PhysicalOffset(i64::MAX)));
    }

    #[test]
    fn a_broker_counts_once_however_many_links_it_has() {
        let one = Replica::Broker(BrokerId(1));
        let mut progress = progress(&[(7, one, 900), (9, one, 950), (8, Replica::Broker(BrokerId(2)), 400)]);
        check(&progress, &[950, 400]);
        progress.reported(SessionId(8), PhysicalOffset(960));
        progress.reported(SessionId(9), PhysicalOffset(940));
        progress.reported(SessionId(77), PhysicalOffset(999));
        check(&progress, &[960, 950]);
        assert_eq!(progress.in_sync(PhysicalOffset(970), 20), 1);
        progress.closed(SessionId(8));
        check(&progress, &[950]);
    }

    #[test]
    fn java_slaves_of_one_host_count_as_the_one_of_the_newest_link() {
        let (host, other) = (IpAddr::from([10, 0, 0, 7]), IpAddr::from([10, 0, 0, 8]));
        let links = [(1, Replica::Host(host), 900), (2, Replica::Host(host), 300), (3, Replica::Host(other), 500)];
        let mut progress = progress(&links);
        check(&progress, &[500, 300]);
        progress.opened(SessionId(4), session(Replica::Host(host), 0));
        check(&progress, &[500, 0]);
    }
}
