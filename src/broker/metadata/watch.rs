//! What a master of ours says of its tables: which of them have changed since they were asked for. Pure.

use std::time::Duration;

use super::plan::Table;
use crate::protocol::codes::{own, response};
use crate::protocol::command::Command;
use crate::protocol::headers::slave::{WatchTablesRequest, WatchTablesResponse};
use crate::protocol::ids::{BrokerId, Millis};

/// How long a master may hold a question.
pub(super) const WAIT: Duration = Duration::from_secs(10);
/// A master that does not know the question is asked again after this long: another one may have its address by then.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(60);
/// The pause after a question that was not answered.
const FAILED_PAUSE: Duration = Duration::from_secs(1);

/// Numbers of one life of the master.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Numbers {
    topics: i64,
    groups: i64,
    consumer_offsets: i64,
    delay_offsets: i64,
}

/// What the master has said last, and what of it is here.
#[derive(Debug)]
pub(super) struct Watch {
    own: BrokerId,
    life: Millis,
    told: Numbers,
    /// Topics and groups as they were fetched: what the master counts as confirmed.
    fetched: Numbers,
    /// The last question was answered.
    works: bool,
    due: Duration,
}

impl Watch {
    pub(super) fn new(own: BrokerId, now: Duration) -> Watch {
        Watch { own, life: Millis(0), told: Numbers::default(), fetched: Numbers::default(), works: false, due: now }
    }

    /// Whether changes are told, so that nothing has to be asked for again and again.
    pub(super) fn works(&self) -> bool {
        self.works
    }

    /// When the next question is due. Not before what was told of topics and groups is here: it would be answered at once.
    pub(super) fn due(&self) -> Option<Duration> {
        let is_here = (self.told.topics, self.told.groups) == (self.fetched.topics, self.fetched.groups);
        is_here.then_some(self.due)
    }

    pub(super) fn question(&self) -> Command {
        let mut command = Command { code: own::WATCH_TABLES, ..Command::default() };
        WatchTablesRequest {
            broker_id: self.own,
            life: self.life,
            topics: self.fetched.topics,
            groups: self.fetched.groups,
            consumer_offsets: self.told.consumer_offsets,
            delay_offsets: self.told.delay_offsets,
            wait_millis: i64::try_from(WAIT.as_millis()).unwrap_or(i64::MAX),
        }
        .encode(&mut command.ext);
        command
    }

    /// The answer, or none; the tables to fetch.
    pub(super) fn answered(&mut self, now: Duration, answer: Option<Command>) -> Vec<Table> {
        let told = answer.as_ref().filter(|answer| answer.code == response::SUCCESS);
        let Some(told) = told.and_then(|answer| WatchTablesResponse::decode(&answer.ext).ok()) else {
            self.works = false;
            let is_unknown = answer.is_some_and(|answer| answer.code == response::REQUEST_CODE_NOT_SUPPORTED);
            self.due = now + if is_unknown { UNKNOWN_PAUSE } else { FAILED_PAUSE };
            return Vec::new();
        };
        let before = if told.life == self.life && self.works { Some(self.told) } else { None };
        (self.works, self.life, self.due) = (true, told.life, now);
        self.told = Numbers {
            topics: told.topics,
            groups: told.groups,
            consumer_offsets: told.consumer_offsets,
            delay_offsets: told.delay_offsets,
        };
        let numbers = |numbers: Numbers| {
            [
                (Table::Topics, numbers.topics),
                (Table::Groups, numbers.groups),
                (Table::ConsumerOffsets, numbers.consumer_offsets),
                (Table::DelayOffsets, numbers.delay_offsets),
            ]
        };
        let Some(before) = before else {
            self.fetched = Numbers { topics: -1, groups: -1, ..Numbers::default() };
            return Table::ALL.into();
        };
        let changed = numbers(self.told).into_iter().zip(numbers(before)).filter(|(new, old)| new != old);
        changed.map(|((table, _), _)| table).collect()
    }

    /// A table is here as it was told, or as it was after that.
    pub(super) fn fetched(&mut self, table: Table) {
        match table {
            Table::Topics => self.fetched.topics = self.told.topics,
            Table::Groups => self.fetched.groups = self.told.groups,
            Table::ConsumerOffsets | Table::DelayOffsets => {}
        }
    }
}
