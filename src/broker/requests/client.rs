//! Clients that come, stay and go: 34, 35, 38, 46, and 40 which tells consumers that their group changed.
//!
//! Java: `ClientManageProcessor`, `ConsumerManageProcessor`, `DefaultConsumerIdsChangeListener`.

use std::sync::Arc;

use crate::broker::action::Action;
use crate::broker::core::{Client, Core};
use crate::broker::error::Error;
use crate::broker::state::clients::{Changed, GroupBeat, Member};
use crate::protocol::body::heartbeat::{CheckClientRequest, ConsumerData, ConsumerIdList, HeartbeatData};
use crate::protocol::codes::request;
use crate::protocol::command::{Command, FLAG_ONEWAY};
use crate::protocol::filter;
use crate::protocol::headers::client::{ConsumerGroupRequest, HeartbeatResponse, UnregisterClientRequest};
use crate::protocol::ids::Millis;
use crate::protocol::sys_flag;
use crate::protocol::topic_name;

use super::lookup::body;
use super::{ok, ok_json};

impl Core {
    /// HEART_BEAT, versions 1 and 2.
    pub(super) fn heartbeat(
        &mut self,
        now: Millis,
        client: &Client,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<Command, Error> {
        let beat: HeartbeatData = body(command)?;
        let member = Member {
            client_id: beat.client_id.as_str().into(),
            language: command.language,
            version: command.version,
            remote: client.remote,
            heard: now,
        };
        let mut outdated = beat.heartbeat_fingerprint == 0;
        for data in &beat.consumer_data_set {
            outdated |= self.consumer_beat(now, client, &beat, data, &member, actions);
        }
        for data in &beat.producer_data_set {
            self.producers.register(&data.group_name, client.connection, member.clone());
        }
        let mut answer = ok();
        HeartbeatResponse { supports_v2: true, subscriptions_changed: outdated }.encode(&mut answer.ext);
        Ok(answer)
    }

    /// One consumer group of a heartbeat; `true` when its subscriptions are not those of the last fingerprint.
    fn consumer_beat(
        &mut self,
        now: Millis,
        client: &Client,
        beat: &HeartbeatData,
        data: &ConsumerData,
        member: &Member,
        actions: &mut Vec<Action>,
    ) -> bool {
        let found = self.find_group(now, &data.group_name);
        let Some((group, settings)) = found else { return false };
        let ordered = data
            .subscription_data_set
            .iter()
            .any(|subscription| self.topics.get(&subscription.topic).is_some_and(|(_, topic)| topic.order));
        let sys_flag = if data.unit_mode { sys_flag::topic::UNIT_SUB } else { 0 };
        let retry_topic = topic_name::retry_topic(&group);
        if !self.is_slave() {
            self.topics.ensure(now, &retry_topic, settings.retry_queue_nums, ordered, sys_flag);
        }
        let group_beat = GroupBeat {
            data,
            fingerprint: beat.heartbeat_fingerprint,
            without_subscriptions: beat.without_sub && beat.heartbeat_fingerprint != 0,
        };
        let (changed, outdated) = self.consumers.register(&group, &group_beat, client.connection, member.clone());
        self.notify(&changed, actions);
        outdated
    }

    /// UNREGISTER_CLIENT: a client says goodbye.
    pub(super) fn unregister_client(
        &mut self,
        client: &Client,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<Command, Error> {
        let header = UnregisterClientRequest::decode(&command.ext)?;
        if let Some(group) = header.producer_group {
            self.producers.unregister(group, client.connection);
        }
        if let Some(group) = header.consumer_group {
            let changed = self.consumers.unregister(group, client.connection);
            self.notify(&changed, actions);
        }
        Ok(ok())
    }

    /// CHECK_CLIENT_CONFIG: whether the broker can filter as the client wants.
    pub(super) fn check_client_config(&self, command: &Command) -> Result<Command, Error> {
        let asked: CheckClientRequest = body(command)?;
        let kind = asked.subscription_data.expression_type;
        if filter::is_tag_type(Some(&kind)) { Ok(ok()) } else { Err(Error::FilterUnsupported { kind }) }
    }

    /// GET_CONSUMER_LIST_BY_GROUP: the members that share the queues of a group.
    pub(super) fn consumer_list(&self, command: &Command) -> Result<Command, Error> {
        let header = ConsumerGroupRequest::decode(&command.ext)?;
        let group = self.consumers.get(header.consumer_group).ok_or_else(|| Error::Failed {
            reason: format!("no consumer for this group, {}", header.consumer_group),
        })?;
        let consumer_id_list = group.members.values().map(|member| member.client_id.to_string()).collect();
        Ok(ok_json(&ConsumerIdList { consumer_id_list }))
    }

    /// Tells members that their group changed (40), unless it is switched off for the broker or the group.
    pub(in crate::broker) fn notify(&self, changed: &Changed, actions: &mut Vec<Action>) {
        if !self.config.requests.notify_consumer_ids_changed {
            return;
        }
        for (group, members) in &changed.notify {
            if self.groups.get(group).is_some_and(|(_, settings)| !settings.notify_consumer_ids_changed_enable) {
                continue;
            }
            for member in members {
                actions.push(Action::Push { to: *member, command: ids_changed(group) });
            }
        }
    }
}

fn ids_changed(group: &Arc<str>) -> Command {
    let mut command = Command { code: request::NOTIFY_CONSUMER_IDS_CHANGED, flag: FLAG_ONEWAY, ..Command::default() };
    ConsumerGroupRequest { consumer_group: group }.encode(&mut command.ext);
    command
}
