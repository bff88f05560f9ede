//! What a member of a DLedger group asks of its shell: letters, its file, the way of its log.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::Actor;
use crate::broker::event::Event;
use crate::broker::upstream::Upstream;
use crate::protocol::ids::Millis;
use crate::protocol::raft::{Letter, MemberId, Message, Term};
use crate::raft::{self, Hard};
use crate::replication::following::Leader;
use crate::replication::link::local::Door;

/// Letters taken out of the mailbox at a time.
pub(super) const LETTERS_MAX: usize = 64;

/// Where members of the same group in this process give their log.
pub type Doors = BTreeMap<MemberId, Door>;

/// Whom the log follows.
#[derive(Clone, Debug, Default)]
pub(super) struct Followed {
    term: Option<Term>,
    leader: Option<MemberId>,
    requests: Option<SocketAddr>,
}

impl Actor {
    /// By a clock that never goes back: a wall clock that jumps must neither end a lease too late nor begin elections.
    pub(super) fn steady(&self) -> Millis {
        Millis(i64::try_from(self.parts.env.clock.monotonic().as_millis()).unwrap_or(i64::MAX))
    }

    /// When the member has something to do, by the wall clock of now.
    pub(super) fn member_deadline(&self, now: Millis) -> Option<Millis> {
        let deadline = self.parts.core.member_deadline()?;
        Some(now.plus(deadline.since(self.steady()).max(0)))
    }

    /// Other members have said something.
    pub(super) fn hear(&mut self, posts: &mut Vec<raft::Event>) {
        while posts.len() < LETTERS_MAX
            && let Ok(post) = self.parts.posts.try_recv()
        {
            posts.push(post);
        }
        if posts.is_empty() {
            return;
        }
        let (now, mut actions) = (self.now(), Vec::new());
        self.parts.core.elapse(self.steady());
        for post in posts.drain(..) {
            self.parts.core.handle(now, Event::Raft(post), &mut actions);
        }
        self.settle(&mut actions);
    }

    pub(super) fn post(&self, to: MemberId, message: Message) {
        let Some(member) = self.parts.core.in_group() else { return };
        let letter = Letter { group: Arc::clone(member.group()), from: member.me(), to, message };
        // A letter that is lost is said again or is too late; a full mailbox must not hold the broker up.
        if let Err(refused) = self.parts.letters.try_send(letter) {
            tracing::debug!(broker = %self.parts.owner, %to, %refused, "letter not sent");
        }
    }

    /// Writes `raftState`. There is no version before that could be taken for it.
    pub(super) fn save_state(&mut self, hard: Hard) {
        let (path, content) = (self.parts.state_file.clone(), hard.to_file().into_bytes());
        self.replace(path, content, None, move |result| {
            Event::Raft(match result {
                Ok(()) => raft::Event::Saved { hard },
                Err(reason) => raft::Event::SaveFailed { reason },
            })
        });
    }

    /// The log follows another member, or the same in another term, or nobody.
    pub(super) fn follow_member(&mut self, term: Term, leader: Option<MemberId>, requests: Option<SocketAddr>) {
        self.followed = Followed { term: Some(term), leader, requests };
        self.follow_again();
    }

    /// The links' tasks see it at once when that is another place than before.
    pub(super) fn follow_again(&mut self) {
        let Followed { term, leader, requests } = self.followed;
        let Some(config) = self.parts.core.dledger_config() else { return };
        let address = leader.and_then(|leader| config.peer(leader.0)).map(|peer| peer.address.clone());
        let door = leader.and_then(|leader| self.parts.doors.borrow().get(&leader).cloned());
        let leader = Leader { address: address.clone(), door, term };
        self.parts.leader.send_if_modified(|known| {
            let is_news = *known != leader;
            *known = leader;
            is_news
        });
        // Tables are fetched where the leader takes requests.
        let tables = Upstream { address: requests.map(|at| at.to_string()), ha_address: address, door: None };
        self.parts.upstream.send_if_modified(|known| {
            let is_news = *known != tables;
            *known = tables;
            is_news
        });
    }

    /// What the container is told: at once what has changed but for the commit offset.
    pub(super) fn tell_standing(&mut self) {
        let standing = self.parts.core.standing();
        self.parts.standing.send_if_modified(|known| {
            let comparable = |standing: &Option<_>| {
                let standing: Option<crate::broker::Standing> = *standing;
                standing.map(|standing| (standing.role, standing.term, standing.leader, standing.elections))
            };
            let is_news = comparable(known) != comparable(&standing);
            if is_news {
                *known = standing;
            }
            is_news
        });
    }
}

/// Whether the event is the end of a write of a file.
pub(super) fn ends_write(event: &Event) -> bool {
    matches!(
        event,
        Event::Persisted { .. }
            | Event::ConfigWritten { .. }
            | Event::EpochsSaved { .. }
            | Event::Raft(raft::Event::Saved { .. } | raft::Event::SaveFailed { .. })
    )
}
