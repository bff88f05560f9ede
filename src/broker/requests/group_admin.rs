//! Consumer groups: 200, 201, 207, 225, 308, 314, 352, 353 (Java: `AdminBrokerProcessor`, `SubscriptionGroupManager`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::broker::action::{Action, ConfigFile, RequestId};
use crate::broker::core::Core;
use crate::broker::error::Error;
use crate::broker::state::groups::GROUPS_MAX;
use crate::protocol::body::group::{
    GroupForbidden, SubscriptionGroupConfig, SubscriptionGroupList, SubscriptionGroupTable,
};
use crate::protocol::body::progress::CorrectionOffsets;
use crate::protocol::command::Command;
use crate::protocol::headers::group_admin::{
    AllGroupConfigRequest, AllGroupConfigResponse, CloneGroupOffsetRequest, CorrectionOffsetRequest,
    DeleteGroupRequest, GroupForbiddenRequest, GroupRequest,
};
use crate::protocol::ids::Millis;
use crate::protocol::topic_name;

use super::lookup::body;
use super::topic_admin::{QUEUES_MAX, page};
use super::{ok, ok_json};

impl Core {
    /// UPDATE_AND_CREATE_SUBSCRIPTIONGROUP.
    pub(super) fn update_group(
        &mut self,
        now: Millis,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        self.put_groups(now, to, vec![body(command)?], actions)
    }

    /// UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST: all of them or none.
    pub(super) fn update_groups(
        &mut self,
        now: Millis,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let list: SubscriptionGroupList = body(command)?;
        self.put_groups(now, to, list.group_config_list, actions)
    }

    fn put_groups(
        &mut self,
        now: Millis,
        to: RequestId,
        groups: Vec<SubscriptionGroupConfig>,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        for group in &groups {
            self.check_group(group)?;
        }
        let new = groups.iter().filter(|group| self.groups.get(&group.group_name).is_none()).count();
        if self.groups.len() + new > GROUPS_MAX {
            return Err(Error::TableFull { what: "groups", limit: GROUPS_MAX });
        }
        for group in groups {
            self.groups.put(now, group);
        }
        self.answer_when_saved(now, ConfigFile::Groups, to, ok(), actions);
        Ok(())
    }

    fn check_group(&self, group: &SubscriptionGroupConfig) -> Result<(), Error> {
        let name = &group.group_name;
        topic_name::check_group(name).map_err(|error| Error::InvalidParameter { reason: error.to_string() })?;
        if !(0..=QUEUES_MAX).contains(&group.retry_queue_nums) {
            let queues = group.retry_queue_nums;
            let reason = format!("retryQueueNums of group {name} is {queues}, expected 0 to {QUEUES_MAX}");
            return Err(Error::InvalidParameter { reason });
        }
        // Java's groups have no attributes either (`SubscriptionGroupAttributes`); what is stored already may stay.
        let known = self.groups.get(name).map(|(_, known)| &known.attributes);
        match group.attributes.iter().find(|(key, value)| known.and_then(|known| known.get(*key)) != Some(value)) {
            Some((key, _)) => Err(Error::Failed { reason: format!("unsupported key: {key}") }),
            None => Ok(()),
        }
    }

    /// DELETE_SUBSCRIPTIONGROUP, with its progress when that is asked for.
    pub(super) fn delete_group(
        &mut self,
        now: Millis,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let header = DeleteGroupRequest::decode(&command.ext)?;
        let group = header.group_name;
        if self.groups.remove(now, group) {
            tracing::info!(broker = %self.config.identity, group, clean_offset = header.clean_offset, "group deleted");
        }
        if header.clean_offset {
            self.offsets.remove_group(now, group);
        }
        self.stats.remove_group(group);
        self.answer_when_saved(now, ConfigFile::Groups, to, ok(), actions);
        Ok(())
    }

    /// GET_ALL_SUBSCRIPTIONGROUP_CONFIG: everything, or a page for clients that ask for pages.
    pub(super) fn all_groups(&self, command: &Command) -> Result<Command, Error> {
        let header = AllGroupConfigRequest::decode(&command.ext)?;
        let mut table = self.groups.to_table();
        let known = self.groups.len();
        let page = page(table.data_version, known, header.data_version, header.group_seq, header.max_group_num);
        if page.size != usize::MAX {
            let groups = std::mem::take(&mut table.subscription_group_table);
            table.subscription_group_table = groups.into_iter().skip(page.first).take(page.size).collect();
            let SubscriptionGroupTable { forbidden_table, subscription_group_table, .. } = &mut table;
            forbidden_table.retain(|group, _| subscription_group_table.contains_key(group));
        }
        let mut answer = ok_json(&table);
        let total = i32::try_from(known).unwrap_or(i32::MAX);
        AllGroupConfigResponse { total_group_num: Some(total) }.encode(&mut answer.ext);
        Ok(answer)
    }

    /// GET_SUBSCRIPTIONGROUP_CONFIG. Unlike Java's, this question does not create the group.
    pub(super) fn group_config(&self, command: &Command) -> Result<Command, Error> {
        let group = GroupRequest::decode(&command.ext)?.group;
        let (_, config) = self.known_group(group)?;
        Ok(ok_json(&**config))
    }

    /// UPDATE_AND_GET_GROUP_FORBIDDEN: takes a topic from a group, gives it back, or only tells.
    pub(super) fn group_forbidden(
        &mut self,
        now: Millis,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let header = GroupForbiddenRequest::decode(&command.ext)?;
        let (group, topic) = (header.group, header.topic);
        if let Some(readable) = header.readable {
            self.known_group(group)?;
            if !readable {
                self.known_topic(topic)?;
            }
            self.groups.forbid_reading(now, group, topic, !readable);
        }
        let response = ok_json(&GroupForbidden {
            group: group.to_owned(),
            readable: !self.groups.is_reading_forbidden(group, topic),
            topic: topic.to_owned(),
        });
        self.answer_when_saved(now, ConfigFile::Groups, to, response, actions);
        Ok(())
    }

    /// CLONE_GROUP_OFFSET: one topic or all of the group. (Java clones only the topic of the header.)
    pub(super) fn clone_group_offset(
        &mut self,
        now: Millis,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let header = CloneGroupOffsetRequest::decode(&command.ext)?;
        let source = header.src_group;
        topic_name::check_group(header.dest_group)
            .map_err(|_| Error::GroupIllegal { group: header.dest_group.to_owned() })?;
        let topics: Vec<Arc<str>> = match header.topic.filter(|topic| !topic.trim().is_empty()) {
            Some(topic) => self.topics.get(topic).map(|(name, _)| Arc::clone(name)).into_iter().collect(),
            None => self.offsets.topics_of(source).cloned().collect(),
        };
        for topic in topics {
            let consumed = header.offline || self.may_consume(source, &topic);
            if consumed && self.topics.get(&topic).is_some() {
                self.offsets.clone_group(now, &topic, source, header.dest_group);
            }
        }
        self.answer_when_saved(now, ConfigFile::ConsumerOffsets, to, ok(), actions);
        Ok(())
    }

    /// Whether a group that is online subscribes to the topic; a group that is not may have consumed anything.
    pub(super) fn may_consume(&self, group: &str, topic: &str) -> bool {
        let subscriptions = self.consumers.get(group).map(|group| &group.subscriptions);
        subscriptions.is_none_or(|known| known.is_empty() || known.contains_key(topic))
    }

    /// QUERY_CORRECTION_OFFSET: per queue the smallest offset of all groups but the filtered ones, and no limit where the
    /// compared group is behind it. (Java deletes the offsets of the filtered groups while it looks.)
    pub(super) fn correction_offsets(&self, command: &Command) -> Result<Command, Error> {
        let header = CorrectionOffsetRequest::decode(&command.ext)?;
        let filtered: Vec<&str> = header.filter_groups.unwrap_or_default().split(',').collect();
        let mut smallest: BTreeMap<i32, i64> = BTreeMap::new();
        let of_topic = || self.offsets.iter().filter(|(key, _)| &*key.topic == header.topic);
        for (key, queues) in of_topic() {
            if filtered.contains(&&*key.group) {
                continue;
            }
            for (queue, offset) in queues {
                if *offset >= self.view.queue_range(header.topic, *queue).min {
                    let known = smallest.entry(queue.0).or_insert(offset.0);
                    *known = offset.0.min(*known);
                }
            }
        }
        let compared = of_topic().filter(|(key, _)| &*key.group == header.compare_group);
        for (queue, offset) in compared.flat_map(|(_, queues)| queues) {
            if let Some(known) = smallest.get_mut(&queue.0)
                && *known > offset.0
            {
                *known = i64::MAX;
            }
        }
        Ok(ok_json(&CorrectionOffsets { correction_offsets: smallest }))
    }
}
