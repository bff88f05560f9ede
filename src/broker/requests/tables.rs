//! The tables that are not in the log, on their way to slaves of ours: who has which, and who waits for that.

use crate::broker::action::{Action, ConfigFile, RequestId};
use crate::broker::core::Core;
use crate::broker::error::Error;
use crate::broker::state::copies::Revisions;
use crate::config::Role;
use crate::protocol::codes::response;
use crate::protocol::command::Command;
use crate::protocol::headers::slave::{WatchTablesRequest, WatchTablesResponse};
use crate::protocol::ids::Millis;

use super::ok;

/// The longest a watch may wait.
const WATCH_MILLIS_MAX: i64 = 30_000;

/// What an answer is about, because of which it waits for tables to be safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A change of this table itself.
    Table(ConfigFile),
    /// A message, which may have created its topic.
    Message,
}

/// An answer that waits for slaves to have a topic or group.
pub type Unconfirmed = (RequestId, Change, Command);

impl Core {
    /// A slave watches.
    pub(super) fn watch_tables(
        &mut self,
        now: Millis,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let header = WatchTablesRequest::decode(&command.ext)?;
        // Numbers of another life of this broker mean nothing now.
        let has = if header.life == self.started { revisions(&header) } else { Revisions::default() };
        let until = now.plus(header.wait_millis.clamp(0, WATCH_MILLIS_MAX));
        if !self.copies.watch(now, to, header.broker_id, has, until) {
            actions.push(Action::Reply { to, response: self.revisions_told() });
        }
        Ok(())
    }

    /// What has changed is told, and those who waited for slaves are answered.
    pub(in crate::broker) fn tell_copies(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let current = self.revisions();
        for to in self.copies.due(now, current) {
            actions.push(Action::Reply { to, response: self.revisions_told() });
        }
        for (is_made, (to, change, answer)) in self.copies.made(now) {
            let answer = if is_made { answer } else { unconfirmed(answer) };
            self.answer_when_safe(change, to, answer, actions);
        }
    }

    /// Answers when the tables are in their files: a change when it is on disk, or with the reason why it is not; a message after the
    /// topic it may have created, because after a crash a message without its topic cannot be read (Java:
    /// `createTopicInSendMessageMethod` persists before it stores).
    pub(in crate::broker) fn answer_when_safe(
        &mut self,
        change: Change,
        to: RequestId,
        response: Command,
        actions: &mut Vec<Action>,
    ) {
        let answer = match change {
            Change::Message => self.files.answer_when_saved(ConfigFile::Topics, self.topics.is_dirty(), to, response),
            Change::Table(file) if self.is_dirty(file) || self.files.is_writing(file) => {
                self.files.answer_after(file, to, response);
                None
            }
            Change::Table(_) => Some(response),
        };
        actions.extend(answer.map(|response| Action::Reply { to, response }));
    }

    fn is_dirty(&self, file: ConfigFile) -> bool {
        match file {
            ConfigFile::Topics => self.topics.is_dirty(),
            ConfigFile::Groups => self.groups.is_dirty(),
            ConfigFile::ConsumerOffsets => self.offsets.is_dirty(),
            ConfigFile::DelayOffsets => self.delays.is_dirty(),
        }
    }

    /// Answers when as many slaves as a message waits for have the topics and groups of now: a slave that is promoted without the
    /// topic of an acknowledged message could not give it out.
    pub(in crate::broker) fn answer_when_copied(
        &mut self,
        now: Millis,
        change: Change,
        to: RequestId,
        response: Command,
        actions: &mut Vec<Action>,
    ) {
        let options = &self.config.replication;
        let slaves = match self.config.role {
            // A majority, this one included.
            Role::SyncMaster if self.member.is_some() => self.voters() / 2,
            Role::SyncMaster => (options.in_sync as usize).saturating_sub(1),
            Role::AsyncMaster | Role::Slave | Role::Dledger => 0,
        };
        let current = self.revisions();
        if self.copies.are_made(now, slaves, current) {
            return self.answer_when_safe(change, to, response, actions);
        }
        let patience = i64::try_from(options.slave_timeout.as_millis()).unwrap_or(i64::MAX);
        self.copies.wait(slaves, current, now.plus(patience), (to, change, response));
    }

    /// How often each table has changed.
    pub(in crate::broker) fn revisions(&self) -> Revisions {
        Revisions {
            topics: self.topics.changes(),
            groups: self.groups.changes(),
            consumer_offsets: self.offsets.changes(),
            delay_offsets: self.delays.changes(),
        }
    }

    fn revisions_told(&self) -> Command {
        let Revisions { topics, groups, consumer_offsets, delay_offsets } = self.revisions();
        let mut answer = ok();
        WatchTablesResponse {
            life: self.started,
            topics: topics.cast_signed(),
            groups: groups.cast_signed(),
            consumer_offsets: consumer_offsets.cast_signed(),
            delay_offsets: delay_offsets.cast_signed(),
        }
        .encode(&mut answer.ext);
        answer
    }
}

fn revisions(header: &WatchTablesRequest) -> Revisions {
    Revisions {
        topics: header.topics.cast_unsigned(),
        groups: header.groups.cast_unsigned(),
        consumer_offsets: header.consumer_offsets.cast_unsigned(),
        delay_offsets: header.delay_offsets.cast_unsigned(),
    }
}

/// What was asked for is done here; its slaves have not said that they have it.
fn unconfirmed(answer: Command) -> Command {
    if answer.code != response::SUCCESS {
        return answer;
    }
    let remark = "done here, but too few slaves have confirmed the topic or group within slaveTimeout: they copy it when they can";
    Command { code: response::FLUSH_SLAVE_TIMEOUT, remark: Some(remark.to_owned()), ..answer }
}
