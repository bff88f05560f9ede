//! Who gives the log its bytes, and how that changes while the store is open.
//!
//! ```text
//!             follow_master: at once
//!   Leading ---------------------------> Following
//!           <---------------------------
//!             lead: when the next number of every queue is known
//! ```

use super::follow::Numbers;
use super::job::Work;
use super::numbers::Numbered;
use super::raw::Stream;
use super::store::{Event, Store};
use crate::protocol::ids::PhysicalOffset;
use crate::protocol::record::BodyCrc;

/// Who gives the log its bytes.
pub(super) enum Role {
    /// This store: it assigns places and numbers. Records before `from` may have a master's numbers.
    Leading { from: PhysicalOffset },
    /// A master.
    Following { stream: Stream, promotion: Promotion },
}

/// A follower on its way to the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promotion {
    /// It stays a follower.
    Unwanted,
    Wanted,
    /// The records that are not dispatched are looked through.
    Counting,
}

impl Store {
    /// From now on the log is a copy of a master's: [`Store::append_raw`] instead of [`Store::append`]. A store leads when it
    /// is opened; the owner of a slave says this before it asks for the first [`Store::jobs`].
    pub fn follow_master(&mut self) {
        match &mut self.role {
            Role::Leading { .. } => {
                let check = self.shared.options.store.check_crc_on_recover;
                let crc = if check { BodyCrc::Check } else { BodyCrc::Trust };
                let stream = Stream::new(self.written(), self.shared.log.segment_bytes(), crc);
                self.role = Role::Following { stream, promotion: Promotion::Unwanted };
            }
            Role::Following { promotion, .. } => *promotion = Promotion::Unwanted,
        }
    }

    /// The store becomes the one that assigns numbers: no more bytes of a master are taken, and what is not a whole record is
    /// forgotten. Messages are taken once the numbers of all records in the log are known: at once when all are dispatched
    /// ([`Store::follow`] before makes that likely), else after a job, which [`Event::Leading`] reports. The log is synced too,
    /// with ASYNC_FLUSH without waiting for its interval. Returns [`Store::is_leading`].
    pub fn lead(&mut self) -> bool {
        if let Role::Following { promotion: promotion @ Promotion::Unwanted, .. } = &mut self.role {
            *promotion = Promotion::Wanted;
            self.flush.want();
            self.restart_stream();
        }
        self.try_to_lead();
        self.is_leading()
    }

    /// Whether [`Store::append`] takes messages, as far as that depends on the role.
    #[must_use]
    pub fn is_leading(&self) -> bool {
        matches!(self.role, Role::Leading { .. })
    }

    /// Whether the log's bytes come from a master, or did until [`Store::lead`] is done.
    #[must_use]
    pub fn is_following(&self) -> bool {
        !self.is_leading()
    }

    /// Without a job, when there is nothing to look through.
    fn try_to_lead(&mut self) {
        let end = self.written();
        let waits = matches!(self.role, Role::Following { promotion: Promotion::Wanted, .. });
        if waits && !self.is_cutting() && self.follow.dispatched() == end {
            self.become_leader(Numbered::dispatched(end));
        }
    }

    /// The look through records that is to be done now.
    pub(super) fn count_wanted(&mut self) -> Option<Work> {
        if self.is_cutting() || self.upkeep.counting {
            return None;
        }
        let (from, to) = (self.follow.dispatched(), self.written());
        let Role::Following { promotion: promotion @ Promotion::Wanted, .. } = &mut self.role else { return None };
        *promotion = Promotion::Counting;
        self.upkeep.counting = true;
        Some(Work::Count { from, to, deleted: self.follow.deleted().clone() })
    }

    pub(super) fn is_counting(&self) -> bool {
        matches!(self.role, Role::Following { promotion: Promotion::Counting, .. })
    }

    /// The records are looked through.
    pub(super) fn counted(&mut self, numbered: Numbered, events: &mut Vec<Event>) {
        self.upkeep.counting = false;
        // Unless the owner has changed its mind, and the log may have grown since.
        if self.is_counting() {
            self.become_leader(numbered);
            events.push(Event::Leading);
        }
    }

    fn become_leader(&mut self, numbered: Numbered) {
        assert_eq!(numbered.end, self.written(), "nothing is appended while numbers are counted");
        let from = numbered.end;
        numbered.assign(&self.shared);
        self.role = Role::Leading { from };
    }

    /// Who assigned the numbers of the records to dispatch.
    pub(super) fn numbers(&self) -> Numbers {
        match self.role {
            Role::Leading { from } => Numbers::OwnFrom(from),
            Role::Following { .. } => Numbers::Followed,
        }
    }
}
