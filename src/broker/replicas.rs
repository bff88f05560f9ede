//! The core's part in replication: what followers have, who is waiting for them, what the leader sends.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::FlushDiskType;
use crate::protocol::command::Command;
use crate::protocol::ids::{Millis, PhysicalOffset};
use crate::replication::Incoming;
use crate::replication::ack::{self, Group};
use crate::replication::leading::Traffic;
use crate::replication::progress::{Progress, SessionId};
use crate::replication::rate::Rate;
use crate::replication::sender::LogState;
use crate::store::Store;

use super::action::{Action, RequestId};
use super::core::Core;
use super::error::Error;
use super::raft::Member;
use super::requests::Stored;
use super::requests::tables::Change;
use super::state::waiters::{Deadlines, Goal};

/// The other members of a broker's group.
#[derive(Debug, Default)]
pub struct Replicas {
    /// What followers have.
    pub progress: Progress,
    /// What their links carry.
    pub traffic: BTreeMap<SessionId, Arc<Traffic>>,
    /// The leader this broker follows now.
    pub following: Option<String>,
    /// When the leader last sent something, and when the link was last made.
    pub heard: Millis,
    /// What `mqadmin resetMasterFlushOffset` has set.
    pub master_flushed: PhysicalOffset,
    /// What the leader sends.
    pub rate: Rate,
}

impl Core {
    /// News of a link.
    pub(super) fn replication(&mut self, now: Millis, incoming: Incoming, actions: &mut Vec<Action>) {
        match incoming {
            Incoming::Opened { session, about, traffic } => {
                self.replicas.traffic.insert(session, traffic);
                self.replicas.progress.opened(session, about);
                self.held(now, actions);
                self.matched(now, session, actions);
            }
            Incoming::Reported { session, end } => {
                self.replicas.progress.reported(session, end);
                self.held(now, actions);
                self.matched(now, session, actions);
            }
            Incoming::Closed { session } => {
                self.replicas.traffic.remove(&session);
                self.replicas.progress.closed(session);
            }
            // A link of a term that is over; it has been told to end.
            Incoming::Following { reign, .. } if !self.follows_in(reign.map(|reign| reign.term)) => {}
            Incoming::Following { leader, dialect, reign } => {
                tracing::info!(broker = %self.config.identity, leader, ?dialect, "follows");
                self.replicas.following = Some(leader);
                self.replicas.heard = now;
                if let (Some(reign), Some(member)) = (reign, &self.member) {
                    let (term, leader) = (reign.term, member.raft().leader());
                    actions.push(Action::FollowMember { term, leader, requests: Some(reign.requests) });
                }
                // A master that joins its group serves no consumer yet: the NameServers say when it does.
                if !self.config.group.acting_master {
                    self.master_is_back(actions);
                }
            }
            Incoming::Parted { leader, reason } => {
                // Tried again many times; said once for each time it followed.
                if self.replicas.following.take().is_some() {
                    tracing::warn!(broker = %self.config.identity, leader, reason, "follows nobody");
                } else {
                    tracing::debug!(broker = %self.config.identity, leader, reason, "cannot follow yet");
                }
            }
            Incoming::Adopt { term, .. } if !self.follows_in(term) => {}
            Incoming::Adopt { epochs, term } if self.adopts_epochs() => {
                self.lineage.adopt(epochs);
                self.verified(now, term, actions);
            }
            Incoming::Adopt { .. } => {
                tracing::warn!(broker = %self.config.identity, "a slave's epochs come too late: this master leads");
            }
            Incoming::Heard => self.replicas.heard = now,
            Incoming::Received { bytes, term, .. } => {
                self.replicas.heard = now;
                self.replicas.rate.add(now, bytes.len());
                self.verified(now, term, actions);
            }
            Incoming::Cut { to, .. } => self.lineage.cut(to),
        }
    }

    /// Followers have more than before: whoever has waited for that is answered.
    fn held(&mut self, now: Millis, actions: &mut Vec<Action>) {
        if self.waiters.is_empty() {
            return;
        }
        let progress = &self.replicas.progress;
        let held = self.waiters.held(|replicas| progress.held_by(replicas).unwrap_or_default());
        for Stored { to, response, since } in held {
            self.stats.put_lasted(now.since(since));
            self.answer_when_copied(now, Change::Message, to, response, actions);
        }
    }

    /// Followers that keep up.
    pub(super) fn replicas_in_sync(&self) -> usize {
        self.replicas.progress.in_sync(self.view.log_range().1, self.config.replication.max_gap_not_in_sync)
    }

    /// Bytes that each follower is behind. One that makes its link anew has two for a moment, and counts with what it held at the
    /// most.
    pub(super) fn replica_lags(&self) -> BTreeMap<String, i64> {
        let end = self.view.log_range().1;
        let mut lags = BTreeMap::new();
        for (_, session) in self.replicas.progress.sessions() {
            let lag = (end - session.acknowledged).max(0);
            let least = lags.entry(session.replica.name()).or_insert(lag);
            *least = lag.min(*least);
        }
        lags
    }

    /// Whether bytes of this epoch may be appended: it is on disk, because the leader named it before.
    #[must_use]
    pub fn knows_epoch(&self, number: i32) -> bool {
        self.lineage.knows(number)
    }

    /// The log as links see it; `refused` counts the frames of a leader that the store did not take.
    #[must_use]
    pub fn log_state(&self, store: &Store, refused: u64) -> LogState {
        let end = store.written();
        let safe = match self.flush_disk_type() {
            FlushDiskType::Sync => store.flushed(),
            FlushDiskType::Async => end,
        };
        LogState {
            first: self.view.log_range().0,
            end,
            durable: safe,
            segment_bytes: self.view.segment_bytes(),
            epochs: Arc::clone(self.lineage.epochs()),
            epochs_saved: self.lineage.is_saved(),
            refused,
            leads: self.lets_followers_in(),
            term: self.member.as_ref().map(Member::term),
        }
    }

    /// What a message must wait for before its producer is told; `waits` is whether the producer wants to know.
    ///
    /// # Errors
    /// When it must not be stored, because too few replicas are in sync.
    pub(super) fn goal(&self, waits: bool) -> Result<Goal, Error> {
        if self.member.is_some() {
            return Ok(Goal { commit: true, ..Goal::default() });
        }
        let options = &self.config.replication;
        let group = self.config.group.acting_master.then(|| Group {
            alive: self.alive(),
            in_sync: self.replicas.progress.in_sync(self.view.log_range().1, options.max_gap_not_in_sync),
        });
        let replicas = ack::needed(self.config.role, options, group, waits)?;
        Ok(Goal { flush: waits && self.waits_for_flush(), replicas, commit: false })
    }

    /// Answers a stored message when its goal is reached.
    pub(super) fn answer_at_goal(
        &mut self,
        now: Millis,
        goal: Goal,
        end: PhysicalOffset,
        (to, response): (RequestId, Command),
        actions: &mut Vec<Action>,
    ) {
        if goal.is_reached_at_once() {
            self.answer_when_copied(now, Change::Message, to, response, actions);
            return;
        }
        let held = self.replicas.progress.held_by(goal.replicas).unwrap_or_default();
        let slaves = i64::try_from(self.config.replication.slave_timeout.as_millis()).unwrap_or(i64::MAX);
        let deadlines = Deadlines {
            flush: now.plus(self.sync_flush_timeout_millis()),
            replicas: now.plus(slaves),
            commit: Core::commit_deadline(now),
        };
        self.waiters.push(goal, end, deadlines, held, Stored { to, response, since: now });
    }
}
