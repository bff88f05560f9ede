//! What an operator has cleaned up by hand: 306, 316, 329 (Java: `AdminBrokerProcessor`). The answer comes when the work is
//! ordered; files go behind it, as those of a deleted topic do.

use std::sync::Arc;

use crate::broker::action::{Action, Cleaning, RequestId};
use crate::broker::core::Core;
use crate::protocol::topic_name;

use super::ok;

impl Core {
    /// CLEAN_EXPIRED_CONSUMEQUEUE and DELETE_EXPIRED_COMMITLOG.
    pub(super) fn clean(&self, to: RequestId, cleaning: Cleaning, actions: &mut Vec<Action>) {
        tracing::info!(broker = %self.config.identity, ?cleaning, "cleaning asked for");
        actions.push(Action::Clean(cleaning));
        actions.push(Action::Reply { to, response: ok() });
    }

    /// CLEAN_UNUSED_TOPIC: queues of topics that are not in the table, such as a deletion that a crash cut short left.
    pub(super) fn clean_unused_topics(&mut self, to: RequestId, actions: &mut Vec<Action>) {
        let in_use = |topic: &Arc<str>| {
            self.topics.get(topic).is_some() || self.is_system_topic(topic) || topic_name::is_lmq(topic)
        };
        let unused: Vec<Arc<str>> = self.view.topics().into_iter().filter(|topic| !in_use(topic)).collect();
        for topic in unused {
            tracing::info!(broker = %self.config.identity, %topic, "queues of an unknown topic deleted");
            self.stats.remove_topic(&topic);
            actions.push(Action::DeleteTopic { topic });
        }
        actions.push(Action::Reply { to, response: ok() });
    }
}
