//! What an administrator asks of a group's members: 222 moves a group, 223 asks all, 307 and 309 go on to one client (Java:
//! `AdminBrokerProcessor`, `Broker2Client`).
//!
//! ```text
//! 307 -> client -> its answer          309 -> record read -> client -> its answer
//! 223 -> 221 to each client -> their answers as one
//! 222 -> offsets of the time found -> offsets moved -> waiting pulls of the group answered with the new offset
//! ```
//!
//! 222 works as Java's default does (`useServerSideResetOffset`): the broker moves the group itself, also one that is offline,
//! `isForce` has no part in it, and a client learns the new offset with its next pull.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::broker::action::{Action, AfterRecord, ConfigFile, OffsetSearch, RequestId};
use crate::broker::core::{Client, Core};
use crate::broker::error::Error;
use crate::protocol::body::progress::{ConsumerStatusBody, ResetOffsetBody};
use crate::protocol::codes::{request, response, version};
use crate::protocol::command::{Body, Command};
use crate::protocol::headers::client::{ConsumeDirectlyRequest, ConsumerRunningInfoRequest, ConsumerStatusRequest};
use crate::protocol::headers::group_admin::ResetOffsetRequest;
use crate::protocol::ids::{Millis, QueueId, QueueOffset};
use crate::protocol::json;
use crate::protocol::message_id;
use crate::remoting::ConnectionId;

use super::ok_json;

impl Core {
    /// GET_CONSUMER_RUNNING_INFO.
    pub(super) fn forward_running_info(
        &self,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let header = ConsumerRunningInfoRequest::decode(&command.ext)?;
        let client = self.member(header.consumer_group, header.client_id)?;
        actions.push(Action::Call { to: client, command: forwarded(command), then: to });
        Ok(())
    }

    /// INVOKE_BROKER_TO_GET_CONSUMER_STATUS: every member of the group, or the one named, is asked for its progress. (Java asks
    /// one after the other, 5 s each, which is as long as its tools wait for the whole answer.)
    pub(super) fn consumer_status(
        &self,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let header = ConsumerStatusRequest::decode(&command.ext)?;
        let members = self.consumers.get(header.group).map(|group| &group.members);
        let Some(members) = members.filter(|members| !members.is_empty()) else {
            let reason = format!("No Any Consumer online in the consumer group: [{}]", header.group);
            return Err(Error::Failed { reason });
        };
        if let Some(old) = members.values().find(|member| member.version < version::V3_0_7_SNAPSHOT) {
            let reason = format!("the client does not support this feature. version={}", version::name(old.version));
            return Err(Error::Failed { reason });
        }
        let wanted = header.client_address.filter(|client| !client.trim().is_empty());
        let clients: Vec<(Arc<str>, ConnectionId)> = members
            .iter()
            .filter(|(_, member)| wanted.is_none_or(|wanted| *member.client_id == *wanted))
            .map(|(connection, member)| (Arc::clone(&member.client_id), *connection))
            .collect();
        if clients.is_empty() {
            actions.push(Action::Reply { to, response: progress_of(Vec::new()) });
            return Ok(());
        }
        let mut command = Command { code: request::GET_CONSUMER_STATUS_FROM_CLIENT, ..Command::default() };
        ConsumerStatusRequest { topic: header.topic, group: header.group, client_address: None }
            .encode(&mut command.ext);
        actions.push(Action::CallAll { clients, command, then: to });
        Ok(())
    }

    /// CONSUME_MESSAGE_DIRECTLY: the message is read, then one client consumes it.
    pub(super) fn consume_directly(
        &self,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let header = ConsumeDirectlyRequest::decode(&command.ext)?;
        let client = self.member(header.consumer_group, header.client_id.unwrap_or_default())?;
        let id = header.msg_id.unwrap_or_default();
        let (_, at) = message_id::decode(id).ok_or_else(|| Error::Failed {
            reason: format!("msgId {id:?} is no offset message id: 32 or 56 hexadecimal digits"),
        })?;
        let mut request = forwarded(command);
        request.ext.set("brokerName", &self.config.identity.name);
        if let Some((_, topic)) = header.topic.and_then(|topic| self.topics.get(topic)) {
            request.ext.set("topicSysFlag", topic.topic_sys_flag);
        }
        if let Some((_, group)) = self.groups.get(header.consumer_group) {
            request.ext.set("groupSysFlag", group.group_sys_flag);
        }
        let then = AfterRecord::ConsumeDirectly { to, client, command: Box::new(request) };
        actions.push(Action::ReadRecord { at, then });
        Ok(())
    }

    /// The message of a CONSUME_MESSAGE_DIRECTLY was read, or is not there.
    pub(in crate::broker) fn consume_directly_found(
        &self,
        to: RequestId,
        client: ConnectionId,
        command: Command,
        record: Result<Option<Bytes>, String>,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let record = record.map_err(|reason| Error::Read { reason })?.ok_or_else(|| {
            let id = command.ext.get("msgId").unwrap_or_default();
            Error::Failed { reason: format!("no message has the msgId {id}, or it has been deleted") }
        })?;
        let command = Command { body: record.into(), ..command };
        actions.push(Action::Call { to: client, command, then: to });
        Ok(())
    }

    fn member(&self, group: &str, client_id: &str) -> Result<ConnectionId, Error> {
        let members = self.consumers.get(group).map(|group| &group.members);
        let found = members.and_then(|members| members.iter().find(|(_, member)| &*member.client_id == client_id));
        let found = found.map(|(connection, _)| *connection);
        found.ok_or_else(|| Error::Failed { reason: format!("The Consumer <{group}> <{client_id}> not online") })
    }

    /// INVOKE_BROKER_TO_RESET_OFFSET: to an offset of one queue, or to a time.
    pub(super) fn reset_offset(
        &mut self,
        now: Millis,
        to: RequestId,
        client: &Client,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let header = ResetOffsetRequest::decode(&command.ext)?;
        let (topic, config) = self.known_topic(header.topic)?;
        let (group, _) = self.known_group(header.group)?;
        let queue = header.queue_id.filter(|queue| queue.0 >= 0);
        if let Some(queue) = queue.filter(|queue| queue.0 >= config.read_queue_nums) {
            let (topic, client) = (topic.to_string(), client.remote.to_string());
            return Err(Error::QueueIllegal { queue, topic, queues: config.read_queue_nums, client });
        }
        let search = OffsetSearch {
            to,
            group: group.clone(),
            topic: topic.clone(),
            queues: queue.map_or_else(|| (0..config.read_queue_nums).map(QueueId).collect(), |queue| vec![queue]),
            time: Some(header.timestamp).filter(|time| time.0 >= 0),
        };
        match (queue, header.offset.filter(|offset| offset.0 != -1)) {
            (Some(queue), Some(offset)) => {
                let range = self.view.queue_range(header.topic, queue);
                if offset < range.min || offset > range.max + 1 {
                    let (min, max) = (range.min, range.max);
                    let reason = format!("Target offset {offset} not in consume queue range [{min}-{max}]");
                    return Err(Error::Failed { reason });
                }
                self.move_group(now, &search, &[(queue, offset)], actions);
            }
            _ if search.queues.is_empty() => return Err(Error::Failed { reason: "No queues to reset.".to_owned() }),
            _ => actions.push(Action::FindOffsets { search: Box::new(search) }),
        }
        Ok(())
    }

    /// The offsets of an INVOKE_BROKER_TO_RESET_OFFSET were found.
    pub(in crate::broker) fn offsets_found(
        &mut self,
        now: Millis,
        search: &OffsetSearch,
        offsets: Result<Vec<(QueueId, QueueOffset)>, String>,
        actions: &mut Vec<Action>,
    ) {
        match offsets {
            Ok(offsets) => self.move_group(now, search, &offsets, actions),
            Err(reason) => {
                let response = Error::Read { reason }.to_response();
                actions.push(Action::Reply { to: search.to, response });
            }
        }
    }

    /// Moves the group and answers when its offsets are on disk; its waiting pulls learn at once.
    fn move_group(
        &mut self,
        now: Millis,
        search: &OffsetSearch,
        offsets: &[(QueueId, QueueOffset)],
        actions: &mut Vec<Action>,
    ) {
        let OffsetSearch { to, group, topic, .. } = search;
        tracing::info!(broker = %self.config.identity, %group, %topic, ?offsets, "group moved by an administrator");
        let mut moved = BTreeMap::new();
        for (queue, offset) in offsets {
            self.offsets.reset(now, topic, group, *queue, *offset);
            moved.insert(self.queue(topic, queue.0), offset.0);
        }
        for pull in self.holds.release_group(topic, group) {
            match self.offsets.take_reset(topic, group, pull.queue) {
                Some(offset) => actions.push(Action::Reply { to: pull.to, response: self.moved(&pull, offset) }),
                None => self.read_again(vec![pull], actions),
            }
        }
        let response = ok_json(&ResetOffsetBody { offset_table: moved });
        self.answer_when_saved(now, ConfigFile::ConsumerOffsets, *to, response, actions);
    }
}

/// The answer to 223: what each client says of its progress; one that gave no answer that can be read is left out, as in Java.
pub(in crate::broker) fn progress_of(answers: Vec<(Arc<str>, Command)>) -> Command {
    let told = answers.into_iter().filter(|(_, answer)| answer.code == response::SUCCESS);
    let table = told.filter_map(|(client, answer)| {
        let body: ConsumerStatusBody = json::from_java(&answer.body.to_bytes()).ok()?;
        Some((client.to_string(), body.message_queue_table))
    });
    ok_json(&ConsumerStatusBody { consumer_table: table.collect(), ..ConsumerStatusBody::default() })
}

/// The request as it goes on to a client: its code, header and version, under a number of the broker's own.
fn forwarded(command: &Command) -> Command {
    Command { code: command.code, ext: command.ext.clone(), body: Body::Empty, ..Command::default() }
}
