//! A master's table becomes the slave's.

use crate::broker::action::Action;
use crate::broker::core::Core;
use crate::protocol::ids::Millis;

use super::Fetched;

impl Core {
    /// Takes a table of the master over. Nothing happens when this broker has become a master meanwhile.
    pub(in crate::broker) fn adopt(&mut self, now: Millis, fetched: Fetched, actions: &mut Vec<Action>) {
        if !self.is_slave() {
            return;
        }
        match fetched {
            Fetched::Topics(table) => {
                for topic in self.topics.adopt(table) {
                    tracing::info!(broker = %self.config.identity, %topic, "topic deleted, as on the master");
                    self.forget_topic(now, topic, actions);
                }
            }
            Fetched::Groups(table) => {
                for group in self.groups.adopt(table) {
                    tracing::info!(broker = %self.config.identity, %group, "group deleted, as on the master");
                    self.stats.remove_group(&group);
                }
            }
            // What consumers and delay levels have done here is further than what the master knows; it takes that over when it joins.
            Fetched::ConsumerOffsets(_) | Fetched::DelayOffsets(_) if self.part.is_acting() => {}
            Fetched::ConsumerOffsets(offsets) => self.offsets.adopt(*offsets),
            Fetched::DelayOffsets(_) if !self.delays.is_idle() => {}
            Fetched::DelayOffsets(content) => {
                if let Err(error) = self.delays.adopt(&content) {
                    tracing::warn!(broker = %self.config.identity, %error, "delay offsets of the master cannot be read");
                }
            }
        }
    }
}
