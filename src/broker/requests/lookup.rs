//! What families look up alike: bodies, topics and groups, each with the refusal when it is not there.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::broker::core::Core;
use crate::broker::error::Error;
use crate::broker::state::topics::TOPICS_MAX;
use crate::protocol::body::group::SubscriptionGroupConfig;
use crate::protocol::body::topic::TopicConfig;
use crate::protocol::command::Command;
use crate::protocol::ids::Millis;
use crate::protocol::json;

/// The body of a request, in Java's JSON.
pub(super) fn body<T: DeserializeOwned>(command: &Command) -> Result<T, Error> {
    json::from_java(&command.body.to_bytes())
        .map_err(|error| Error::Body { code: command.code, reason: error.to_string() })
}

/// There is no room for another topic.
pub(super) const TOPICS_FULL: Error = Error::TableFull { what: "topics", limit: TOPICS_MAX };

impl Core {
    /// A topic with its interned name.
    pub(super) fn known_topic(&self, name: &str) -> Result<(&Arc<str>, &Arc<TopicConfig>), Error> {
        self.topics.get(name).ok_or_else(|| Error::TopicNotExist { topic: name.to_owned() })
    }

    /// A group with its interned name; asking does not make it.
    pub(super) fn known_group(&self, name: &str) -> Result<(&Arc<str>, &Arc<SubscriptionGroupConfig>), Error> {
        self.groups.get(name).ok_or_else(|| Error::GroupNotExist { group: name.to_owned() })
    }

    /// The group a client acts for, made when that is allowed.
    pub(super) fn group_in_use(
        &mut self,
        now: Millis,
        name: &str,
    ) -> Result<(Arc<str>, Arc<SubscriptionGroupConfig>), Error> {
        self.find_group(now, name).ok_or_else(|| Error::GroupNotExist { group: name.to_owned() })
    }

    /// A group, made when that is allowed. A slave makes none: it treats one that it does not know as it would be made.
    pub(super) fn find_group(&mut self, now: Millis, name: &str) -> Option<(Arc<str>, Arc<SubscriptionGroupConfig>)> {
        let auto_create = self.config.topics.auto_create_group;
        match self.is_slave() {
            true => self.groups.find_or_default(name, auto_create),
            false => self.groups.find_or_create(now, name, auto_create),
        }
    }

    /// The dead letter topic of a group, made when it is missing.
    pub(super) fn dead_letter_topic(&mut self, now: Millis, group: &str) -> Result<Arc<str>, Error> {
        self.topics.ensure_dead_letter(now, group).map(|(name, _)| name).ok_or(TOPICS_FULL)
    }
}
