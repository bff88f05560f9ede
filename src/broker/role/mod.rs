//! The part a broker plays in its group: joining, serving as master or slave, acting for a master that is gone (Java:
//! `BrokerController.isIsolated`, `BrokerPreOnlineService`, `changeSpecialServiceStatus`).
//!
//! ```text
//!                 enableSlaveActingMaster, totalReplicas > 1
//! start ----------------------------------------------------> joining --(joining.rs)--> online
//!    \-- any other broker ---------------------------------------------------------------^
//!
//! online slave:  plain <--- members without a smaller id / with one ---> acting
//! ```
//!
//! A joining broker is not registered and refuses what would make it differ from the others; it tells and answers where logs are.
//! An acting slave takes no messages either: it gives them out, locks queues, and has what comes due of the delay levels stored by
//! another master (`Action::Escape`). Who acts is no vote: each slave looks at the members its NameServers name, so for a moment there
//! may be two, which costs messages that come twice and loses none.
//!
//! Invariants: a broker that has left joining does not go back; a master never acts; a joining broker delivers nothing; a master that
//! joins lets no follower in, and begins no epoch, before it has what its followers have.

mod entry;
pub(super) mod joining;

use crate::protocol::ids::{BrokerId, Millis};

use super::action::Action;
use super::core::Core;
use super::group::{Members, Presence};
use joining::Joining;

/// Whether a broker of this configuration takes part only after it has joined (Java: `BrokerController` isolates it then).
#[must_use]
pub fn joins(config: &crate::config::Broker) -> bool {
    config.dledger.is_none()
        && config.group.acting_master
        && !config.group.skip_pre_online
        && config.replication.total > 1
}

/// What a broker knows of its group and of its own part.
#[derive(Debug, Default)]
pub struct Part {
    joining: Option<Joining>,
    /// When joining goes on by itself.
    next_step: Option<Millis>,
    members: Option<Members>,
    /// A master that joins has begun its epoch.
    has_epoch: bool,
    acting: bool,
    presence: Option<Presence>,
}

impl Part {
    /// Of a broker that has just started.
    pub(super) fn new(config: &crate::config::Broker) -> Part {
        Part { joining: joins(config).then(|| Joining::new(config.identity.id)), ..Part::default() }
    }

    /// Whether it takes part only after what [`joining`] does.
    pub(super) fn is_joining(&self) -> bool {
        self.joining.is_some()
    }

    /// Whether it acts for its master.
    pub(super) fn is_acting(&self) -> bool {
        self.acting
    }

    /// Living members, this one counted; `None` as long as no NameServer has named them.
    fn alive(&self, own: BrokerId) -> Option<usize> {
        self.members.as_ref().map(|Members(members)| members.len() + usize::from(!members.contains_key(&own)))
    }

    /// Whether the NameServers know a master.
    fn has_master(&self) -> bool {
        self.members.as_ref().is_some_and(|Members(members)| members.contains_key(&BrokerId::MASTER))
    }
}

impl Core {
    /// Whether it takes part.
    #[must_use]
    pub fn presence(&self) -> Presence {
        match (&self.part.joining, &self.part.presence) {
            (None, _) => Presence::Online,
            (Some(_), Some(presence)) => presence.clone(),
            (Some(_), None) => Presence::Joining { waits_for: "its start".to_owned() },
        }
    }

    /// Whether messages that come due leave their delay levels here: at the master, or at the slave that acts for it.
    pub(super) fn delivers(&self) -> bool {
        !self.part.is_joining() && (!self.is_slave() || self.part.is_acting())
    }

    /// Whether a consumer that finds nothing here can ask the master.
    pub(super) fn master_is_there(&self) -> bool {
        match self.config.group.acting_master {
            true => self.part.has_master(),
            false => self.replicas.following.is_some(),
        }
    }

    /// Living members, this one counted.
    pub(super) fn alive(&self) -> usize {
        self.part.alive(self.config.identity.id).unwrap_or(self.config.replication.total as usize)
    }

    /// The other members, as the NameServers know them.
    pub(super) fn other_members(&self) -> Vec<String> {
        let others = self.part.members.iter().flat_map(|Members(members)| members);
        others.filter(|(id, _)| **id != self.config.identity.id).map(|(_, address)| address.clone()).collect()
    }

    /// The NameServers have said who is there.
    pub(super) fn members_named(&mut self, now: Millis, members: Members, actions: &mut Vec<Action>) {
        let had_master = self.part.has_master();
        self.part.members = Some(members);
        self.review(now);
        if self.is_slave() && !had_master && self.part.has_master() {
            self.master_is_back(actions);
        }
    }

    /// Begins to act, or ends it.
    fn review(&mut self, now: Millis) {
        let own = self.config.identity.id;
        let smaller = |Members(members): &Members| members.keys().any(|id| *id < own);
        let acts = self.config.group.acting_master
            && self.is_slave()
            && !self.part.is_joining()
            && self.part.members.as_ref().is_some_and(|members| !smaller(members));
        if acts == self.part.acting {
            return;
        }
        self.part.acting = acts;
        let broker = &self.config.identity;
        if acts {
            tracing::warn!(%broker, "acts for its master, which the NameServers do not know any more");
            self.resume_delays(now);
        } else {
            tracing::info!(%broker, "acts no more, a broker with a smaller id is there");
        }
    }

    /// The positions of the delay levels come from another broker, whose queues may be longer.
    pub(super) fn resume_delays(&mut self, now: Millis) {
        let view = &self.view;
        self.delays.resume(now, |queue| {
            let range = view.queue_range(crate::protocol::topic_name::SCHEDULE, queue);
            (range.min, range.max)
        });
    }
}

#[cfg(test)]
mod tests;
