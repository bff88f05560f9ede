//! What to ask the master for, and when: pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::watch::Watch;
use crate::broker::state::groups::GROUPS_MAX;
use crate::broker::state::offsets::ConsumerOffsets;
use crate::broker::state::topics::TOPICS_MAX;
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::body::group::SubscriptionGroupTable;
use crate::protocol::body::topic::{TopicConfigAndMapping, TopicConfigTable};
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::group_admin::{AllGroupConfigRequest, AllGroupConfigResponse};
use crate::protocol::headers::topic_admin::{AllTopicConfigRequest, AllTopicConfigResponse};
use crate::protocol::ids::BrokerId;
use crate::protocol::json;

/// A table is asked for again after this long.
const PERIOD: Duration = Duration::from_secs(1);
/// Bytes of an answer that make the pause a second longer.
const BYTES_PER_SECOND: usize = 64 << 10;
/// The longest pause; Java's period.
const PERIOD_MAX: Duration = Duration::from_secs(60);
/// After a failure, the longest pause.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Entries of a page (Java: `splitMetadataSize`).
const PAGE: i32 = 2_000;
/// A table that changes between its pages this often is left for the next time.
const RESTARTS_MAX: u32 = 8;

/// One of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// 21.
    Topics,
    /// 201.
    Groups,
    /// 43.
    ConsumerOffsets,
    /// 45.
    DelayOffsets,
}

impl Table {
    pub(super) const ALL: [Table; 4] = [Table::Topics, Table::Groups, Table::ConsumerOffsets, Table::DelayOffsets];
}

/// A whole table of the master.
#[derive(Debug)]
pub enum Fetched {
    /// All topics; static topics are not copied.
    Topics(TopicConfigTable),
    /// All groups.
    Groups(SubscriptionGroupTable),
    /// Offsets of all groups.
    ConsumerOffsets(Box<ConsumerOffsets>),
    /// `delayOffset.json` of the master.
    DelayOffsets(Vec<u8>),
}

/// What an answer led to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// More is to be asked for, now or later.
    Goes,
    /// The table is here and differs, or may differ, from the last one.
    Fetched(Fetched),
    /// It did not work.
    Failed {
        /// Why.
        reason: String,
        /// Whether it worked before.
        first: bool,
    },
}

/// Asks for one table at a time.
#[derive(Debug)]
pub(super) struct Plan {
    progress: BTreeMap<Table, Progress>,
    watch: Watch,
}

#[derive(Debug, Default)]
struct Progress {
    due: Duration,
    /// When it was last here, and how long the answer was.
    asked: Duration,
    bytes: usize,
    failures: u32,
    /// The version that was fetched last, for tables that are asked for by pages.
    version: Option<DataVersion>,
    pages: Pages,
}

/// The part of a table that is here.
#[derive(Debug, Default)]
struct Pages {
    topics: TopicConfigTable,
    groups: SubscriptionGroupTable,
    bytes: usize,
    restarts: u32,
}

impl Pages {
    fn version(&self, table: Table) -> DataVersion {
        if table == Table::Topics { self.topics.data_version } else { self.groups.data_version }
    }

    fn len(&self, table: Table) -> usize {
        match table {
            Table::Topics => self.topics.topic_config_table.len(),
            _ => self.groups.subscription_group_table.len(),
        }
    }
}

impl Plan {
    /// A master was found, or is another one: everything is asked for from the start.
    pub(super) fn new(own: BrokerId, now: Duration) -> Plan {
        let progress = |table| (table, Progress { due: now, ..Progress::default() });
        Plan { progress: Table::ALL.map(progress).into(), watch: Watch::new(own, now) }
    }

    /// The question which tables have changed, when it is due.
    pub(super) fn watch(&self, now: Duration) -> Option<Command> {
        self.watch.due().is_some_and(|due| due <= now).then(|| self.watch.question())
    }

    /// Its answer, or none.
    pub(super) fn watched(&mut self, now: Duration, answer: Option<Command>) {
        let worked = self.watch.works();
        for table in self.watch.answered(now, answer) {
            let Some(progress) = self.progress.get_mut(&table) else { continue };
            let due = match table {
                Table::Topics | Table::Groups => now,
                // They change all the time: the longer the answer, the later.
                Table::ConsumerOffsets | Table::DelayOffsets => now.max(progress.asked + pause(progress.bytes) / 10),
            };
            progress.due = progress.due.min(due);
        }
        if worked && !self.watch.works() {
            for progress in self.progress.values_mut() {
                progress.due = progress.due.min(now + PERIOD);
            }
        }
    }

    /// What to ask for now; the answer is given to [`Plan::answered`] before the next question.
    pub(super) fn next(&self, now: Duration) -> Option<(Table, Command)> {
        let due = self.progress.iter().find(|(_, progress)| progress.due <= now);
        due.map(|(table, progress)| (*table, question(*table, &progress.pages)))
    }

    /// When there is something to ask for.
    pub(super) fn next_due(&self) -> Duration {
        let tables = self.progress.values().map(|progress| progress.due);
        tables.chain(self.watch.due()).min().unwrap_or_default()
    }

    /// When there is a table to ask for.
    pub(super) fn next_table_due(&self) -> Duration {
        self.progress.values().map(|progress| progress.due).min().unwrap_or_default()
    }

    /// The answer of the master, or why there is none.
    pub(super) fn answered(&mut self, now: Duration, table: Table, answer: Result<Command, String>) -> Outcome {
        let Some(progress) = self.progress.get_mut(&table) else { return Outcome::Goes };
        let taken = answer.and_then(|answer| match answer.code {
            response::SUCCESS => progress.take(table, &answer),
            code => Err(format!("code {code}: {}", answer.remark.as_deref().unwrap_or("no remark"))),
        });
        match taken {
            Ok(Taken::More) => Outcome::Goes,
            Ok(Taken::Whole(fetched)) => {
                let pages = std::mem::take(&mut progress.pages);
                progress.failures = 0;
                (progress.asked, progress.bytes) = (now, pages.bytes);
                progress.due = now + if self.watch.works() { PERIOD_MAX } else { pause(pages.bytes) };
                self.watch.fetched(table);
                fetched.map_or(Outcome::Goes, Outcome::Fetched)
            }
            Err(reason) => {
                let pause = PERIOD.saturating_mul(1 << progress.failures.min(8)).min(RETRY_MAX);
                let first = progress.failures == 0;
                *progress = Progress { due: now + pause, failures: progress.failures + 1, ..Progress::default() };
                Outcome::Failed { reason, first }
            }
        }
    }
}

enum Taken {
    /// There are more pages.
    More,
    /// That was all; nothing when it is what was fetched before.
    Whole(Option<Fetched>),
}

impl Progress {
    fn take(&mut self, table: Table, answer: &Command) -> Result<Taken, String> {
        let body = answer.body.to_bytes();
        self.pages.bytes += body.len();
        match table {
            Table::Topics => {
                let page: TopicConfigAndMapping = parse(&body)?;
                let total = AllTopicConfigResponse::decode(&answer.ext).map_err(|error| error.to_string())?;
                let version = page.data_version;
                self.begin(table, version)?;
                self.pages.topics.data_version = version;
                self.pages.topics.topic_config_table.extend(page.topic_config_table);
                self.complete(table, total.total_topic_num, TOPICS_MAX)
            }
            Table::Groups => {
                let page: SubscriptionGroupTable = parse(&body)?;
                let total = AllGroupConfigResponse::decode(&answer.ext).map_err(|error| error.to_string())?;
                let version = page.data_version;
                self.begin(table, version)?;
                let groups = &mut self.pages.groups;
                groups.data_version = version;
                groups.subscription_group_table.extend(page.subscription_group_table);
                groups.forbidden_table.extend(page.forbidden_table);
                self.complete(table, total.total_group_num, GROUPS_MAX)
            }
            Table::ConsumerOffsets => {
                let offsets = ConsumerOffsets::from_json(&body).map_err(|error| error.to_string())?;
                Ok(Taken::Whole(Some(Fetched::ConsumerOffsets(Box::new(offsets)))))
            }
            Table::DelayOffsets => Ok(Taken::Whole(Some(Fetched::DelayOffsets(body.to_vec())))),
        }
    }

    /// A page of another version than those before it begins the table anew: the master starts with the first entry then.
    fn begin(&mut self, table: Table, version: DataVersion) -> Result<(), String> {
        if self.pages.len(table) == 0 || self.pages.version(table) == version {
            return Ok(());
        }
        let Pages { bytes, restarts, .. } = self.pages;
        if restarts == RESTARTS_MAX {
            return Err("the table changes faster than it is read".to_owned());
        }
        self.pages = Pages { bytes, restarts: restarts + 1, ..Pages::default() };
        Ok(())
    }

    /// Whether a page was the last one: masters before 5.3 do not say how many entries there are and send all at once.
    fn complete(&mut self, table: Table, total: Option<i32>, limit: usize) -> Result<Taken, String> {
        let (have, version) = (self.pages.len(table), self.pages.version(table));
        let total = total.map_or(have, |total| usize::try_from(total).unwrap_or(0));
        if have == 0 {
            return Err("the answer is empty".to_owned());
        }
        if total > limit {
            return Err(format!("the table has {total} entries, more than {limit} are not taken"));
        }
        if self.version == Some(version) {
            return Ok(Taken::Whole(None));
        }
        if have < total {
            return Ok(Taken::More);
        }
        self.version = Some(version);
        Ok(Taken::Whole(Some(match table {
            Table::Topics => Fetched::Topics(std::mem::take(&mut self.pages.topics)),
            _ => Fetched::Groups(std::mem::take(&mut self.pages.groups)),
        })))
    }
}

/// Java's client sends the version of the first page with each further one; the first one asks for one entry only.
fn question(table: Table, pages: &Pages) -> Command {
    let code = match table {
        Table::Topics => request::GET_ALL_TOPIC_CONFIG,
        Table::Groups => request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
        Table::ConsumerOffsets => request::GET_ALL_CONSUMER_OFFSET,
        Table::DelayOffsets => request::GET_ALL_DELAY_OFFSET,
    };
    let mut command = Command { code, ..Command::default() };
    let have = pages.len(table);
    let first = i32::try_from(have).unwrap_or(i32::MAX);
    let size = if have == 0 { 1 } else { PAGE };
    let version = if have > 0 { json::to_java(&pages.version(table)) } else { Vec::new() };
    let version = String::from_utf8_lossy(&version);
    let (seq, size, version) = (Some(first), Some(size), Some(&*version));
    match table {
        Table::Topics => AllTopicConfigRequest { topic_seq: seq, data_version: version, max_topic_num: size }
            .encode(&mut command.ext),
        Table::Groups => AllGroupConfigRequest { group_seq: seq, data_version: version, max_group_num: size }
            .encode(&mut command.ext),
        Table::ConsumerOffsets | Table::DelayOffsets => {}
    }
    command
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    json::from_java(body).map_err(|error| error.to_string())
}

fn pause(bytes: usize) -> Duration {
    let more = u32::try_from(bytes / BYTES_PER_SECOND).unwrap_or(u32::MAX);
    PERIOD.saturating_add(PERIOD.saturating_mul(more)).min(PERIOD_MAX)
}
