//! Tasks that read the store for one request each, beside the actor.
//!
//! A read is tried with what the page cache holds; only if that does not suffice it waits for a thread of the I/O pool.
//! At most [`COLD_READS_MAX`] times its `io_weight` reads of one broker wait for the disk at a time; more queue up here, not in the pool.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::env::mailbox::Sender;
use crate::env::{Share, TaskKind, Tasks};
use crate::protocol::filter::TagFilter;
use crate::protocol::ids::{Millis, QueueOffset};
use crate::protocol::topic_name;
use crate::remoting::ReplySlot;
use crate::store::{GetStatus, Patience, Read, ReadError, ReadRequest, View};

use super::action::{AfterRecord, OffsetSearch};
use super::actor::Inbound;
use super::error::Error;
use super::event::{DelayedUnit, Event, Pulled};
use super::hold::Pull;
use super::requests::{pull, query::Query};
use super::state::delay::queue_of;
use crate::protocol::headers::offset::Boundary;
use crate::protocol::ids::PhysicalOffset;

/// Reads of one broker that may wait for the disk at a time.
pub const COLD_READS_MAX: usize = 16;

/// Bytes of one pull at most, beside the store's own limits (Java: `MAX_PULL_MSG_SIZE` is 128 MiB; a frame is 16 MiB).
const PULL_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Units of a delay level that are read at a time.
const DELAYED_UNITS_MAX: i64 = 64;

/// Starts reads.
#[derive(Clone)]
pub(super) struct Readers {
    view: View,
    tasks: Tasks,
    share: Share,
    cold: Arc<Semaphore>,
    results: Sender<Inbound>,
    owner: Arc<str>,
}

impl Readers {
    pub(super) fn new(
        view: View,
        tasks: Tasks,
        (share, weight): (Share, usize),
        results: Sender<Inbound>,
        owner: Arc<str>,
    ) -> Readers {
        Readers { view, tasks, share, cold: Arc::new(Semaphore::new(COLD_READS_MAX * weight)), results, owner }
    }

    /// Reads for a pull; messages are answered from here.
    pub(super) fn pull(&self, pull: Box<Pull>, slot: ReplySlot) {
        let readers = self.clone();
        self.spawn(async move {
            let wanted = pull.clone();
            let read = readers.read(move |view, patience| read_queue(view, &wanted, patience)).await;
            let inbound = match read {
                Ok(read) if read.status == GetStatus::Found => {
                    let pulled = Pulled {
                        topic: Arc::clone(&pull.topic),
                        group: Arc::clone(&pull.group),
                        queue: pull.queue,
                        next: read.next,
                        messages: read.messages.len(),
                        bytes: read.bytes,
                    };
                    slot.answer(pull::answer(&pull, &read));
                    Inbound::Event(Event::Pulled(pulled))
                }
                Ok(read) => Inbound::NothingPulled { pull, read, slot },
                Err(error) => {
                    slot.answer(error.to_response());
                    return;
                }
            };
            readers.report(inbound).await;
        });
    }

    /// Runs a lookup and answers.
    pub(super) fn query(&self, query: Box<Query>, slot: ReplySlot) {
        let readers = self.clone();
        self.spawn(async move {
            let answer = readers.read(move |view, patience| query.run(view, patience)).await;
            slot.answer(answer.unwrap_or_else(|error| error.to_response()));
        });
    }

    /// Reads one record for the core.
    pub(super) fn record(&self, at: PhysicalOffset, then: AfterRecord) {
        let readers = self.clone();
        self.spawn(async move {
            let record = readers.read(move |view, patience| view.record_at(at, patience)).await;
            let record = record.map_err(|error| error.to_string());
            readers.report(Inbound::Event(Event::RecordRead { then, record })).await;
        });
    }

    /// Reads the next units of a delay level.
    pub(super) fn delayed(&self, level: usize, from: QueueOffset) {
        let readers = self.clone();
        self.spawn(async move {
            let units = readers.read(move |view, patience| delayed_units(view, level, from, patience)).await;
            let units = units.map_err(|error| error.to_string());
            readers.report(Inbound::Event(Event::DelayedRead { level, from, units })).await;
        });
    }

    /// Finds the offsets of a time.
    pub(super) fn find_offsets(&self, search: Box<OffsetSearch>) {
        let readers = self.clone();
        self.spawn(async move {
            let wanted = search.clone();
            let offsets = readers.read(move |view, patience| offsets_of_time(view, &wanted, patience)).await;
            let offsets = offsets.map_err(|error| error.to_string());
            readers.report(Inbound::Event(Event::OffsetsFound { search, offsets })).await;
        });
    }

    /// Reads from the page cache, or where waiting is allowed.
    async fn read<T, F>(&self, read: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&View, Patience) -> Result<T, ReadError> + Send + 'static,
    {
        match read(&self.view, Patience::CachedOnly) {
            Err(ReadError::WouldBlock) => {}
            Ok(value) => return Ok(value),
            Err(error) => return Err(Error::Read { reason: error.to_string() }),
        }
        let stopped = || Error::Busy { reason: "the broker is stopping, try another one".to_owned() };
        let _turn = self.cold.acquire().await.map_err(|_| stopped())?;
        let view = self.view.clone();
        let result = self.share.run(move || read(&view, Patience::MayBlock)).await;
        let result = result.map_err(|full| Error::Busy { reason: full.to_string() })?;
        result.map_err(|error| Error::Read { reason: error.to_string() })
    }

    /// Tells the actor; when it has ended nobody wants to know.
    async fn report(&self, inbound: Inbound) {
        let _ended = self.results.send(inbound).await;
    }

    fn spawn(&self, read: impl Future<Output = ()> + Send + 'static) {
        // The reader reports to the actor; nobody joins it.
        drop(self.tasks.spawn(TaskKind::Read, &self.owner, read));
    }
}

pub(super) fn read_queue(view: &View, pull: &Pull, patience: Patience) -> Result<Read, ReadError> {
    let wanted = |code: i64| pull.tags.matches(code);
    let filter: Option<&(dyn Fn(i64) -> bool + Sync)> = if pull.tags == TagFilter::All { None } else { Some(&wanted) };
    let request = ReadRequest {
        topic: &pull.topic,
        queue: pull.queue,
        from: pull.from,
        max_messages: pull.messages_max,
        max_bytes: PULL_BYTES_MAX,
        filter,
    };
    view.read(&request, patience)
}

pub(super) fn delayed_units(
    view: &View,
    level: usize,
    from: QueueOffset,
    patience: Patience,
) -> Result<Vec<DelayedUnit>, ReadError> {
    let queue = queue_of(level);
    let range = view.queue_range(topic_name::SCHEDULE, queue);
    let first = from.max(range.min);
    let mut units = Vec::new();
    for number in 0..DELAYED_UNITS_MAX.min(range.max - first) {
        let offset = first + number;
        let Some(unit) = view.queue_unit(topic_name::SCHEDULE, queue, offset, patience)? else { break };
        let record = view.record_at(unit.physical, patience)?;
        units.push(DelayedUnit { offset, due: Millis(unit.tags_code), record });
    }
    Ok(units)
}

pub(super) fn offsets_of_time(
    view: &View,
    search: &OffsetSearch,
    patience: Patience,
) -> Result<Vec<(crate::protocol::ids::QueueId, QueueOffset)>, ReadError> {
    let offset = |queue| match search.time {
        Some(time) => view.offset_by_time(&search.topic, queue, time, Boundary::Lower, patience),
        None => Ok(view.queue_range(&search.topic, queue).max),
    };
    search.queues.iter().map(|queue| Ok((*queue, offset(*queue)?))).collect()
}
