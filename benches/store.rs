//! What a message costs in the store: append, dispatch, the jobs behind it, and reading it back.
//!
//! `cargo bench --bench store`; nanoseconds of wall time per message of 1 KiB, one thread, page cache, no sync.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mqcontainer::config::{DelayLevels, Flush, FlushDiskType, KeyIndex, Retention, StoreOptions, Transfer};
use mqcontainer::env::{Disk, SystemDisk};
use mqcontainer::protocol::ids::{Millis, PhysicalOffset, QueueId, QueueOffset};
use mqcontainer::store::{Append, NewMessage, Options, Patience, Progress, ReadRequest, Store};

const MESSAGES: usize = 200_000;
const BODY_BYTES: usize = 1024;
const QUEUES: i32 = 4;

fn main() {
    println!("{:>6} {:>10} {:>10} {:>10} {:>10}", "batch", "append ns", "follow ns", "jobs ns", "read ns");
    for batch in [1, 8, 64] {
        run(batch);
    }
}

fn run(batch: usize) {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(SystemDisk);
    let mut store = Store::open(options(dir.path()), Arc::clone(&disk), Millis(1), &Progress::default()).unwrap();
    let (mut append, mut follow, mut jobs) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let mut arrivals = Vec::new();
    for round in 0..MESSAGES / batch {
        let now = Millis(1_700_000_000_000 + i64::try_from(round).unwrap() / 10);
        let messages: Vec<Append> =
            (0..batch).map(|number| Append { messages: vec![message(round * batch + number)].into() }).collect();
        let start = Instant::now();
        let results = store.append(&messages, now);
        append += start.elapsed();
        assert!(results.iter().all(Result::is_ok));
        let start = Instant::now();
        store.follow(&mut arrivals);
        follow += start.elapsed();
        arrivals.clear();
        let start = Instant::now();
        for job in store.jobs(now) {
            // Syncs measure the device, not the store.
            if job.device().is_none() {
                let done = job.run(disk.as_ref());
                store.complete(done, now);
            }
        }
        jobs += start.elapsed();
    }
    let read = read_all(&store);
    let per_message = |time: Duration| time.as_nanos() / MESSAGES as u128;
    println!(
        "{batch:>6} {:>10} {:>10} {:>10} {:>10}",
        per_message(append),
        per_message(follow),
        per_message(jobs),
        per_message(read)
    );
}

fn read_all(store: &Store) -> Duration {
    let view = store.view();
    let start = Instant::now();
    for queue in 0..QUEUES {
        let mut from = QueueOffset(0);
        while from < view.queue_range("BenchmarkTest", QueueId(queue)).max {
            let request = ReadRequest {
                topic: "BenchmarkTest",
                queue: QueueId(queue),
                from,
                max_messages: 32,
                max_bytes: 1 << 20,
                filter: None,
            };
            from = view.read(&request, Patience::MayBlock).unwrap().next;
        }
    }
    start.elapsed()
}

fn message(number: usize) -> NewMessage {
    let host = "127.0.0.1:10911".parse().unwrap();
    NewMessage {
        topic: Arc::from("BenchmarkTest"),
        queue: QueueId(i32::try_from(number).unwrap() % QUEUES),
        flag: 0,
        sys_flag: 0,
        born: Millis(1_700_000_000_000),
        born_host: host,
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: PhysicalOffset(0),
        properties: format!("UNIQ_KEY\u{1}7F0000010001{number:020}\u{2}WAIT\u{1}true\u{2}TAGS\u{1}a\u{2}").into(),
        body: Bytes::from_static(&[b'x'; BODY_BYTES]),
    }
}

/// Java's defaults, except that nothing is deleted.
fn options(root: &Path) -> Options {
    let store = StoreOptions {
        root: root.to_owned(),
        commit_log: root.join("commitlog"),
        commit_log_file_bytes: 1 << 30,
        consume_queue_file_bytes: 6_000_000,
        max_message_bytes: 4 << 20,
        check_crc_on_recover: true,
        flush: Flush {
            disk: FlushDiskType::Async,
            commit_log_interval: Duration::from_millis(500),
            commit_log_least_pages: 4,
            commit_log_thorough_interval: Duration::from_secs(10),
            consume_queue_interval: Duration::from_secs(1),
            consume_queue_least_pages: 2,
            consume_queue_thorough_interval: Duration::from_secs(60),
            sync_timeout: Duration::from_secs(5),
        },
        retention: Retention {
            delete_when: Vec::new(),
            file_reserved: Duration::from_secs(72 * 3600),
            delete_file_batch_max: 10,
            delete_pause: Duration::ZERO,
            clean_interval: Duration::from_secs(10),
            destroy_forcibly_after: Duration::from_secs(120),
            disk_max_used_percent: 95,
            disk_clean_forcibly_percent: 98,
            disk_warning_percent: 99,
            clean_forcibly: false,
        },
        index: KeyIndex { enabled: true, safe: false, hash_slots: 5_000_000, entries: 20_000_000 },
        transfer: Transfer {
            memory_bytes: 262_144,
            memory_messages: 32,
            disk_bytes: 65_536,
            disk_messages: 8,
            memory_percent: 40,
        },
    };
    Options::new(store, DelayLevels(vec![Duration::from_secs(1)]))
}
