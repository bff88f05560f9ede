//! The log between this broker and the other members of its group: what comes is appended, what there is is published.

use bytes::Bytes;

use super::Actor;
use crate::broker::action::Action;
use crate::broker::event::Event;
use crate::broker::upstream::Upstream;
use crate::protocol::ids::{Millis, PhysicalOffset};
use crate::protocol::raft::Term;
use crate::replication::Incoming;
use crate::store::AppendError;

/// Frames and reports taken out of the mailbox at a time.
pub(super) const INCOMING_MAX: usize = 64;

impl Actor {
    pub(super) fn incoming(&mut self, now: Millis, incoming: Incoming, actions: &mut Vec<Action>) {
        match incoming {
            Incoming::Received { term, .. } | Incoming::Cut { term, .. } if !self.parts.core.follows_in(term) => {
                tracing::debug!(broker = %self.parts.owner, ?term, "a link of a term that is over brings more");
            }
            Incoming::Received { epoch, at, bytes, term } => self.received(now, (epoch, at, bytes, term), actions),
            Incoming::Cut { to, .. } => self.cut_back(to),
            incoming => self.parts.core.handle(now, Event::Replication(incoming), actions),
        }
    }

    fn received(
        &mut self,
        now: Millis,
        (epoch, at, bytes, term): (i32, PhysicalOffset, Bytes, Option<Term>),
        actions: &mut Vec<Action>,
    ) {
        if !self.parts.core.knows_epoch(epoch) {
            tracing::warn!(broker = %self.parts.owner, %at, epoch, "the leader sends bytes of an epoch it has not named");
            self.refused += 1;
            return;
        }
        match self.parts.store.append_raw(at, bytes.clone(), now) {
            Ok(_) => {
                let taken = Incoming::Received { epoch, at, bytes, term };
                self.parts.core.handle(now, Event::Replication(taken), actions);
            }
            Err(error) => {
                tracing::warn!(broker = %self.parts.owner, %at, %error, "the leader's bytes were not taken");
                self.refused += 1;
            }
        }
    }

    /// The store does it in a job; `Event::CutBack` ends it.
    fn cut_back(&mut self, to: PhysicalOffset) {
        if !self.parts.core.may_be_cut() {
            tracing::warn!(broker = %self.parts.owner, %to, "a master does not give up what it has");
            self.refused += 1;
            return;
        }
        if let Err(error) = self.parts.store.cut_back(to) {
            if let AppendError::CutCommitted { .. } = error {
                self.failed = Some(error.to_string());
            }
            tracing::warn!(broker = %self.parts.owner, %to, %error, "the log was not cut back");
            self.refused += 1;
        }
    }

    /// A master that has joined begins to assign numbers, when those of all records are known and what it has fetched is on disk.
    /// Were its epoch to begin at bytes that a power failure takes, it would be forgotten with them, and its number given again.
    pub(super) fn lead(&mut self) -> bool {
        let leads = self.parts.core.waits_to_lead()
            && self.parts.store.lead()
            // The number of a term is never given again.
            && (self.parts.core.in_group().is_some() || self.parts.store.flushed() == self.parts.store.written());
        if leads {
            let end = self.parts.store.written();
            tracing::info!(broker = %self.parts.owner, %end, "leads");
            self.parts.core.led(end);
        }
        leads
    }

    /// Another place to follow: the slave's tasks see it at once. The container adds the door when it is a broker of this process.
    pub(super) fn follow_leader(&mut self, upstream: Upstream) {
        self.parts.upstream.send_if_modified(|known| {
            let is_known = known.address == upstream.address && known.ha_address == upstream.ha_address;
            if !is_known {
                *known = upstream;
            }
            !is_known
        });
    }

    /// Tells links how far the log is, when that has changed.
    pub(super) fn publish(&mut self) {
        let state = self.parts.core.log_state(&self.parts.store, self.refused);
        if state != self.published {
            self.published = state.clone();
            self.parts.log.send_replace(state);
        }
    }
}
