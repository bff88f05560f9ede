//! A store, its owner, and a model of what it must hold.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mqcontainer::config::{DelayLevels, Flush, FlushDiskType, KeyIndex, Retention, StoreOptions, Transfer};
use mqcontainer::env::{Disk, OpenMode};
use mqcontainer::protocol::ids::{Millis, PhysicalOffset, QueueId, QueueOffset};
use mqcontainer::protocol::record::{BodyCrc, RecordView};
use mqcontainer::store::{
    Append, AppendError, Appended, Arrival, Error, Event, GetStatus, Job, KeyQuery, NewMessage, Options, Patience,
    Progress, ReadRequest, Store, View,
};

use crate::disk::{Chance, Crash, SimDisk};

pub const SEGMENT: u64 = 8192;
pub const QUEUE_FILE: u64 = 20 * 16;
pub const ROOT: &str = "/store";

pub fn options(flush: FlushDiskType) -> Options {
    let root = PathBuf::from(ROOT);
    let store = StoreOptions {
        commit_log: root.join("commitlog"),
        root,
        commit_log_file_bytes: SEGMENT,
        consume_queue_file_bytes: QUEUE_FILE,
        max_message_bytes: 4000,
        check_crc_on_recover: true,
        flush: Flush {
            disk: flush,
            commit_log_interval: Duration::from_millis(500),
            commit_log_least_pages: 4,
            commit_log_thorough_interval: Duration::from_secs(10),
            consume_queue_interval: Duration::from_secs(1),
            consume_queue_least_pages: 2,
            consume_queue_thorough_interval: Duration::from_secs(20),
            sync_timeout: Duration::from_secs(5),
        },
        retention: Retention {
            delete_when: Vec::new(),
            file_reserved: Duration::from_secs(72 * 3600),
            delete_file_batch_max: 10,
            delete_pause: Duration::ZERO,
            clean_interval: Duration::from_secs(10),
            destroy_forcibly_after: Duration::from_secs(120),
            disk_max_used_percent: 75,
            disk_clean_forcibly_percent: 85,
            disk_warning_percent: 90,
            clean_forcibly: true,
        },
        index: KeyIndex { enabled: true, safe: false, hash_slots: 40, entries: 60 },
        transfer: Transfer {
            memory_bytes: 262_144,
            memory_messages: 32,
            disk_bytes: 65_536,
            disk_messages: 8,
            memory_percent: 40,
        },
    };
    let levels = DelayLevels([1, 5, 10].map(Duration::from_secs).to_vec());
    Options { open_files_max: 16, ..Options::new(store, levels) }
}

pub fn message(topic: &str, queue: i32, body: &[u8], properties: &str) -> NewMessage {
    let host: SocketAddr = "127.0.0.1:10911".parse().unwrap();
    NewMessage {
        topic: Arc::from(topic),
        queue: QueueId(queue),
        flag: 7,
        sys_flag: 0,
        born: Millis(1_600_000_000_000),
        born_host: host,
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: PhysicalOffset(0),
        properties: Bytes::copy_from_slice(properties.as_bytes()),
        body: Bytes::copy_from_slice(body),
    }
}

/// A message that was given a place.
#[derive(Clone, Debug)]
pub struct Stored {
    pub topic: String,
    pub queue: i32,
    pub offset: i64,
    pub physical: i64,
    pub end: i64,
    pub body: Vec<u8>,
    pub key: String,
    pub time: i64,
}

/// Everything of one run.
pub struct World {
    pub disk: SimDisk,
    pub options: Options,
    pub store: Option<Store>,
    pub now: i64,
    /// What the log must hold, in its order.
    pub model: Vec<Stored>,
    /// What the owner was told to be durable.
    pub flushed: i64,
    pub outstanding: Vec<Job>,
    pub arrivals: Vec<Arrival>,
    pub events: Vec<Event>,
    pub bodies: u64,
}

impl World {
    pub fn new(seed: u64, flush: FlushDiskType) -> World {
        World::with(seed, options(flush))
    }

    pub fn with(seed: u64, options: Options) -> World {
        let mut world = World {
            disk: SimDisk::new(seed),
            options,
            store: None,
            now: 1_700_000_000_000,
            model: Vec::new(),
            flushed: 0,
            outstanding: Vec::new(),
            arrivals: Vec::new(),
            events: Vec::new(),
            bodies: 0,
        };
        world.open();
        world
    }

    pub fn open(&mut self) {
        self.store = Some(self.try_open().expect("the store opens"));
    }

    pub fn try_open(&self) -> Result<Store, Error> {
        self.open_with(&Progress::default())
    }

    /// Opens and returns the number of records that recovery read.
    pub fn open_counting(&mut self) -> u64 {
        let progress = Progress::default();
        self.store = Some(self.open_with(&progress).expect("the store opens"));
        progress.records()
    }

    fn open_with(&self, progress: &Progress) -> Result<Store, Error> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        Store::open(self.options.clone(), disk, Millis(self.now), progress)
    }

    /// Appends one message alone.
    pub fn append_one(&mut self, topic: &str, queue: i32, len: usize) -> Result<Appended, AppendError> {
        let message = self.fresh(topic, queue, len);
        self.append(vec![vec![message]]).remove(0)
    }

    pub fn store(&mut self) -> &mut Store {
        self.store.as_mut().unwrap()
    }

    pub fn view(&self) -> View {
        self.store.as_ref().unwrap().view()
    }

    /// Appends batches as the model's messages.
    pub fn append(&mut self, batches: Vec<Vec<NewMessage>>) -> Vec<Result<Appended, AppendError>> {
        let appends: Vec<Append> =
            batches.iter().map(|messages| Append { messages: messages.clone().into() }).collect();
        let now = Millis(self.now);
        let results = self.store().append(&appends, now);
        assert_eq!(results.len(), batches.len(), "one answer each");
        for (batch, result) in batches.iter().zip(&results) {
            let Ok(appended) = result else { continue };
            assert_eq!(appended.physical.len(), batch.len());
            for (message, physical) in batch.iter().zip(&appended.physical) {
                let queue = (message.topic.to_string(), message.queue.0);
                let same = |m: &&Stored| m.queue == queue.1 && m.topic == queue.0;
                let offset = self.model.iter().rev().find(same).map_or(0, |newest| newest.offset + 1);
                let properties = std::str::from_utf8(&message.properties).unwrap();
                let key = mqcontainer::protocol::properties::get(properties, "KEYS").unwrap_or_default().to_owned();
                let size = self.size_at(*physical);
                self.model.push(Stored {
                    topic: queue.0,
                    queue: queue.1,
                    offset,
                    physical: physical.0,
                    end: physical.0 + size,
                    body: message.body.to_vec(),
                    key,
                    time: self.now,
                });
            }
            let last = self.model.last().unwrap();
            assert_eq!(appended.end.0, last.end);
            let first = &self.model[self.model.len() - batch.len()];
            assert_eq!(appended.queue_offset.0, first.offset, "numbers go on where the queue ended");
        }
        results
    }

    /// The record's size, as it stands in the file.
    fn size_at(&self, physical: PhysicalOffset) -> i64 {
        let segment = i64::try_from(self.options.store.commit_log_file_bytes).unwrap();
        let base = physical.0 / segment * segment;
        let path = self.options.store.commit_log.join(format!("{base:020}"));
        let mut size = [0; 4];
        let file = self.disk.open(&path, OpenMode::Existing).unwrap();
        file.read_exact_at((physical.0 - base).unsigned_abs(), &mut size).unwrap();
        i64::from(i32::from_be_bytes(size))
    }

    /// Messages with distinct bodies.
    pub fn fresh(&mut self, topic: &str, queue: i32, len: usize) -> NewMessage {
        self.bodies += 1;
        let number = self.bodies;
        let mut body = format!("{number}:").into_bytes();
        body.resize(len.max(body.len()), b'x');
        message(topic, queue, &body, &format!("TAGS\u{1}tag{}\u{2}KEYS\u{1}key{number}\u{2}", number % 3))
    }

    pub fn follow(&mut self) {
        let mut arrivals = std::mem::take(&mut self.arrivals);
        self.store().follow(&mut arrivals);
        self.arrivals = arrivals;
        let store = self.store.as_ref().unwrap();
        assert!(store.flushed() <= store.written());
        assert!(store.confirmed() <= store.written());
    }

    /// Takes new jobs without running them.
    pub fn collect_jobs(&mut self) {
        let now = Millis(self.now);
        let jobs = self.store().jobs(now);
        self.outstanding.extend(jobs);
    }

    pub fn run_job(&mut self, index: usize) {
        let job = self.outstanding.swap_remove(index);
        let done = job.run(&self.disk.clone());
        let now = Millis(self.now);
        let events = self.store().complete(done, now);
        for event in &events {
            if let Event::Flushed(upto) = event {
                assert!(upto.0 >= self.flushed, "flushed never goes back");
                self.flushed = upto.0;
            }
        }
        self.events.extend(events);
    }

    /// Runs everything that is due until nothing is.
    pub fn settle(&mut self) {
        for _ in 0..200 {
            self.follow();
            self.collect_jobs();
            if self.outstanding.is_empty() {
                return;
            }
            while !self.outstanding.is_empty() {
                self.run_job(0);
            }
        }
        panic!("the store never comes to rest");
    }

    pub fn crash(&mut self, crash: Crash) {
        self.disk.crash(crash);
        self.store = None;
        self.outstanding.clear();
    }

    /// An ordered stop; returns what the last job reported.
    pub fn stop(&mut self) {
        self.store().drain();
        for _ in 0..200 {
            self.follow();
            self.collect_jobs();
            while !self.outstanding.is_empty() {
                self.run_job(0);
            }
            if self.store().is_drained() {
                break;
            }
        }
        assert!(self.store().is_drained(), "the store drains");
        let now = Millis(self.now);
        let job = self.store().stopping(now);
        self.outstanding.push(job);
        self.run_job(0);
        assert!(matches!(self.events.last(), Some(Event::Stopped)));
        self.store = None;
    }

    /// After an opening: the log holds a prefix of the model that reaches at least to what was flushed; the rest is forgotten.
    pub fn accept_end(&mut self) {
        let end = self.store().written().0;
        assert!(end >= self.flushed, "flushed up to {}, but the log ends at {end}", self.flushed);
        self.model.retain(|message| message.end <= end);
        self.flushed = self.store().flushed().0;
    }

    /// The store holds exactly the model.
    pub fn check(&self) {
        let view = self.view();
        let first = view.usage().first.0;
        let mut queues: BTreeMap<(&str, i32), Vec<&Stored>> = BTreeMap::new();
        for message in self.model.iter() {
            queues.entry((&message.topic, message.queue)).or_default().push(message);
        }
        for ((topic, queue), messages) in &queues {
            let range = view.queue_range(topic, QueueId(*queue));
            assert_eq!(range.max.0, messages.last().unwrap().offset + 1, "end of {topic} {queue}");
            let readable: Vec<_> = messages.iter().filter(|message| message.physical >= first).collect();
            let min = readable.first().map_or(range.max.0, |message| message.offset);
            assert_eq!(range.min.0, min, "beginning of {topic} {queue}");
            self.check_queue(&view, topic, *queue, &readable);
        }
        for (topic, ids) in view.topics_with_queues() {
            for id in ids {
                let known = queues.contains_key(&(&*topic, id.0));
                assert!(known || view.queue_range(&topic, id).max.0 == 0, "{topic} {id} is not in the model");
            }
        }
    }

    fn check_queue(&self, view: &View, topic: &str, queue: i32, messages: &[&&Stored]) {
        let mut from = messages.first().map_or(0, |message| message.offset);
        let mut rest = messages.iter();
        while from < messages.last().map_or(0, |message| message.offset + 1) {
            let request = ReadRequest {
                topic,
                queue: QueueId(queue),
                from: QueueOffset(from),
                max_messages: 32,
                max_bytes: 1 << 20,
                filter: None,
            };
            let read = view.read(&request, Patience::MayBlock).unwrap();
            assert_eq!(read.status, GetStatus::Found, "{topic} {queue} from {from}");
            for bytes in &read.messages {
                let record = RecordView::parse(bytes, BodyCrc::Check).unwrap();
                let expected = rest.next().unwrap();
                assert_eq!(record.queue_offset.0, expected.offset);
                assert_eq!(record.physical_offset.0, expected.physical);
                assert_eq!(record.body, expected.body, "{topic} {queue} {}", expected.offset);
                assert_eq!(record.topic, topic);
                assert_eq!(record.property("KEYS").unwrap_or_default(), expected.key);
                assert_eq!(record.store_timestamp.0, expected.time);
            }
            assert_eq!(read.next.0, from + i64::try_from(read.messages.len()).unwrap());
            from = read.next.0;
        }
        assert!(rest.next().is_none(), "{topic} {queue}: all read");
    }

    /// Every message of the model is found by its key.
    pub fn check_keys(&self) {
        let view = self.view();
        let first = view.usage().first.0;
        for message in self.model.iter().filter(|message| message.physical >= first && !message.key.is_empty()) {
            let query = KeyQuery {
                topic: &message.topic,
                key: &message.key,
                tag: false,
                max: 64,
                begin: Millis(0),
                end: Millis(i64::MAX),
            };
            let found = view.query_key(&query).unwrap();
            let positions: Vec<i64> = found.records.iter().map(|bytes| position_of(bytes)).collect();
            assert_eq!(positions, [message.physical], "{} {}", message.topic, message.key);
        }
    }
}

fn position_of(bytes: &[u8]) -> i64 {
    RecordView::parse(bytes, BodyCrc::Check).unwrap().physical_offset.0
}

/// A random batch.
pub fn random_batches(world: &mut World, chance: &mut Chance) -> Vec<Vec<NewMessage>> {
    let topics = ["alpha", "%RETRY%beta", "gamma-topic"];
    let appends = 1 + chance.below(6);
    (0..appends)
        .map(|_| {
            let topic = topics[usize::try_from(chance.below(3)).unwrap()];
            let queue = i32::try_from(chance.below(3)).unwrap();
            let messages = if chance.percent(20) { 1 + chance.below(4) } else { 1 };
            let len = if chance.percent(5) { 3000 } else { 10 + chance.below(300) };
            let len = if messages > 1 { len.min(400) } else { len };
            (0..messages).map(|_| world.fresh(topic, queue, usize::try_from(len).unwrap())).collect()
        })
        .collect()
}

/// The path of a file below the store.
pub fn path(relative: &str) -> PathBuf {
    Path::new(ROOT).join(relative)
}
