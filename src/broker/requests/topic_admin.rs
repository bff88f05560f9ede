//! Topics: 17, 18, 21, 215, 300, 305, 343, 345, 351 (Java: `AdminBrokerProcessor`, `TopicConfigManager`).

use std::sync::Arc;

use crate::broker::action::{Action, ConfigFile, RequestId};
use crate::broker::core::Core;
use crate::broker::error::Error;
use crate::broker::state::topics::TOPICS_MAX;
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::body::group::{GroupList, QuerySubscription};
use crate::protocol::body::topic::{
    TopicConfig, TopicConfigAndDetail, TopicConfigAndMapping, TopicConfigList, TopicFilterType, TopicList,
};
use crate::protocol::command::Command;
use crate::protocol::headers::group_admin::{GroupRequest, QuerySubscriptionRequest};
use crate::protocol::headers::topic_admin::{
    AllTopicConfigRequest, AllTopicConfigResponse, CreateTopicRequest, TopicConfigRequest, TopicRequest,
};
use crate::protocol::ids::Millis;
use crate::protocol::json;
use crate::protocol::sys_flag::perm;
use crate::protocol::topic_name;

use super::lookup::{TOPICS_FULL, body};
use super::topic_attributes::{alter, parse};
use super::{ok, ok_json};

/// Queues of one topic; Java takes any number, and loops over all of them in many requests.
pub const QUEUES_MAX: i32 = 65_536;

/// Topics or groups of one page of 21 and 201 (Java: `splitMetadataSize`); an answer must fit into one frame.
pub(super) const PAGE_MAX: usize = 2_000;

impl Core {
    /// UPDATE_AND_CREATE_TOPIC.
    pub(super) fn update_topic(
        &mut self,
        now: Millis,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let header = CreateTopicRequest::decode(&command.ext)?;
        let filter = header.topic_filter_type;
        let topic_filter_type = TopicFilterType::from_name(filter).ok_or_else(|| Error::InvalidParameter {
            reason: format!("topicFilterType is {filter:?}, expected SINGLE_TAG or MULTI_TAG"),
        })?;
        let wanted = TopicConfig {
            attributes: parse(header.attributes.unwrap_or_default())?,
            order: header.order,
            perm: header.perm,
            read_queue_nums: header.read_queue_nums,
            topic_filter_type,
            topic_name: header.topic.to_owned(),
            topic_sys_flag: header.topic_sys_flag.unwrap_or(0),
            write_queue_nums: header.write_queue_nums,
        };
        let topic = self.checked_topic(wanted)?;
        self.room_for_topics([&topic])?;
        self.topics.put(now, topic);
        self.answer_when_saved(now, ConfigFile::Topics, to, ok(), actions);
        Ok(())
    }

    /// UPDATE_AND_CREATE_TOPIC_LIST: all of them or none. Java stops with success at the first one that is there already.
    pub(super) fn update_topics(
        &mut self,
        now: Millis,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let list: TopicConfigList = body(command)?;
        let topics: Result<Vec<_>, Error> =
            list.topic_config_list.into_iter().map(|topic| self.checked_topic(topic)).collect();
        let topics = topics?;
        self.room_for_topics(&topics)?;
        for topic in topics {
            self.topics.put(now, topic);
        }
        self.answer_when_saved(now, ConfigFile::Topics, to, ok(), actions);
        Ok(())
    }

    /// The topic as it will stand in the table; its attributes come as changes (`+name`, `-name`).
    fn checked_topic(&self, mut topic: TopicConfig) -> Result<TopicConfig, Error> {
        let name = topic.topic_name.as_str();
        topic_name::check_topic(name).map_err(|error| Error::TopicIllegal { reason: error.to_string() })?;
        self.check_no_system_topic(name)?;
        for (what, queues) in [("readQueueNums", topic.read_queue_nums), ("writeQueueNums", topic.write_queue_nums)] {
            if !(0..=QUEUES_MAX).contains(&queues) {
                return Err(Error::InvalidParameter {
                    reason: format!("{what} of topic {name} is {queues}, expected 0 to {QUEUES_MAX}"),
                });
            }
        }
        if !perm::is_valid(topic.perm) {
            let reason =
                format!("perm of topic {name} is {}, expected a sum of 4 read, 2 write, 1 inherit", topic.perm);
            return Err(Error::InvalidParameter { reason });
        }
        let current = self.topics.get(name).map(|(_, known)| &known.attributes);
        topic.attributes = alter(current, &topic.attributes)?;
        Ok(topic)
    }

    fn check_no_system_topic(&self, topic: &str) -> Result<(), Error> {
        if self.is_system_topic(topic) {
            return Err(Error::InvalidParameter {
                reason: format!("The topic[{topic}] is conflict with system topic."),
            });
        }
        Ok(())
    }

    fn room_for_topics<'t>(&self, topics: impl IntoIterator<Item = &'t TopicConfig>) -> Result<(), Error> {
        let new = topics.into_iter().filter(|topic| self.topics.get(&topic.topic_name).is_none()).count();
        if self.topics.len() + new > TOPICS_MAX {
            return Err(TOPICS_FULL);
        }
        Ok(())
    }

    /// DELETE_TOPIC_IN_BROKER: the topic, its queues, what groups have consumed of it, its statistics. A topic that is not in
    /// the table may still have queues, so it is deleted as well, as in Java.
    pub(super) fn delete_topic(
        &mut self,
        now: Millis,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let name = TopicRequest::decode(&command.ext)?.topic;
        if name.trim().is_empty() {
            return Err(Error::InvalidParameter { reason: "The specified topic is blank.".to_owned() });
        }
        self.check_no_system_topic(name)?;
        let mut names: Vec<Arc<str>> = vec![name.into()];
        names.extend(self.pop_retry_topics(name));
        for topic in names {
            tracing::info!(broker = %self.config.identity, %topic, "topic deleted");
            self.topics.remove(now, &topic);
            self.forget_topic(now, topic, actions);
        }
        self.answer_when_saved(now, ConfigFile::Topics, to, ok(), actions);
        Ok(())
    }

    /// What there is of a topic besides its place in the table goes.
    pub(in crate::broker) fn forget_topic(&mut self, now: Millis, topic: Arc<str>, actions: &mut Vec<Action>) {
        self.offsets.remove_topic(now, &topic);
        self.stats.remove_topic(&topic);
        for pull in self.holds.release_all(Some(&topic)) {
            actions.push(Action::Reply { to: pull.to, response: self.nothing_new(&pull) });
        }
        actions.push(Action::DeleteTopic { topic });
    }

    /// The retry topics that pop consumers of a Java broker left, in both of their forms (`KeyBuilder.buildPopRetryTopic`).
    fn pop_retry_topics(&self, topic: &str) -> Vec<Arc<str>> {
        let names = self.offsets.groups_of(topic).flat_map(|group| {
            let prefix = topic_name::RETRY_PREFIX;
            [format!("{prefix}{group}_{topic}"), format!("{prefix}{group}+{topic}")]
        });
        names.filter_map(|name| self.topics.get(&name).map(|(name, _)| Arc::clone(name))).collect()
    }

    /// GET_ALL_TOPIC_CONFIG: everything, or a page for clients that ask for pages.
    pub(super) fn all_topics(&self, command: &Command) -> Result<Command, Error> {
        let header = AllTopicConfigRequest::decode(&command.ext)?;
        let version = *self.topics.version();
        let known = self.topics.len();
        let page = page(version, known, header.data_version, header.topic_seq, header.max_topic_num);
        let topics = self.topics.iter().skip(page.first).take(page.size);
        let mut answer = ok_json(&TopicConfigAndMapping {
            data_version: version,
            topic_config_table: topics.map(|(name, topic)| (name.to_string(), (**topic).clone())).collect(),
            ..TopicConfigAndMapping::default()
        });
        let total = i32::try_from(known).unwrap_or(i32::MAX);
        AllTopicConfigResponse { total_topic_num: Some(total) }.encode(&mut answer.ext);
        Ok(answer)
    }

    /// GET_TOPIC_CONFIG.
    pub(super) fn topic_config(&self, command: &Command) -> Result<Command, Error> {
        let header = TopicConfigRequest::decode(&command.ext)?;
        let (_, config) = self.known_topic(header.topic)?;
        Ok(ok_json(&TopicConfigAndDetail { config: (**config).clone(), mapping_detail: None }))
    }

    /// GET_SYSTEM_TOPIC_LIST_FROM_BROKER.
    pub(super) fn system_topic_list(&self) -> Command {
        let fixed = topic_name::system_topics().iter().map(|topic| (*topic).to_owned());
        let own = self.topics.system().iter().map(ToString::to_string);
        ok_json(&TopicList { broker_addr: None, topic_list: fixed.chain(own).collect() })
    }

    /// QUERY_TOPIC_CONSUME_BY_WHO: groups that subscribe to the topic now or have consumed of it.
    pub(super) fn groups_of_topic(&self, command: &Command) -> Result<Command, Error> {
        let topic = TopicRequest::decode(&command.ext)?.topic;
        let groups = self.consumers.groups_of(topic).chain(self.offsets.groups_of(topic));
        Ok(ok_json(&GroupList { group_list: groups.map(ToString::to_string).collect() }))
    }

    /// QUERY_TOPICS_BY_CONSUMER: topics the group has consumed of.
    pub(super) fn topics_of_group(&self, command: &Command) -> Result<Command, Error> {
        let group = GroupRequest::decode(&command.ext)?.group;
        let topic_list = self.offsets.topics_of(group).map(ToString::to_string).collect();
        Ok(ok_json(&TopicList { broker_addr: Some(self.store_host().to_string()), topic_list }))
    }

    /// QUERY_SUBSCRIPTION_BY_CONSUMER.
    pub(super) fn subscription_of_group(&self, command: &Command) -> Result<Command, Error> {
        let header = QuerySubscriptionRequest::decode(&command.ext)?;
        let group = self.consumers.get(header.group);
        let subscription = header.topic.and_then(|topic| group?.subscriptions.get(topic));
        Ok(ok_json(&QuerySubscription {
            group: header.group.to_owned(),
            subscription_data: subscription.cloned(),
            topic: header.topic.map(str::to_owned),
        }))
    }
}

/// A part of a table.
pub(super) struct Page {
    /// Entries before it.
    pub(super) first: usize,
    /// Entries of it at most.
    pub(super) size: usize,
}

/// Which part of a table a client asks for: all of it when it does not know pages; from the start again when the table has
/// changed since its first page (`TopicConfigManager.subTopicConfigTable`). A single last entry comes with the page before
/// it: Java's client stops one short of the end.
pub(super) fn page(
    version: DataVersion,
    known: usize,
    asked: Option<&str>,
    first: Option<i32>,
    size: Option<i32>,
) -> Page {
    if asked.is_none() && first.is_none() && size.is_none() {
        return Page { first: 0, size: usize::MAX };
    }
    let same = asked
        .and_then(|text| json::from_java::<DataVersion>(text.as_bytes()).ok())
        .is_some_and(|asked| asked == version);
    let first = first.filter(|_| same).and_then(|first| usize::try_from(first).ok()).unwrap_or(0);
    let size = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let size = if first + size + 1 == known { size + 1 } else { size };
    Page { first, size }
}
