//! Disks that fail, are full, or lie.

use mqcontainer::config::FlushDiskType;
use mqcontainer::env::Disk;
use mqcontainer::protocol::ids::QueueId;
use mqcontainer::store::{AppendError, Error, Event};

use crate::disk::Crash;
use crate::world::{SEGMENT, World, path};

const HOUR: i64 = 3_600_000;

fn is_poisoned(result: &Result<mqcontainer::store::Appended, AppendError>) -> bool {
    matches!(result, Err(AppendError::Poisoned(_)))
}

#[test]
fn a_failed_sync_ends_all_writing_and_is_not_retried() {
    let mut world = World::new(1, FlushDiskType::Sync);
    world.append_one("t", 0, 100).unwrap();
    world.settle();
    let flushed = world.flushed;
    world.append_one("t", 0, 100).unwrap();
    world.disk.fail_syncs(1);
    world.collect_jobs();
    while !world.outstanding.is_empty() {
        world.run_job(0);
    }
    assert!(world.events.iter().any(|event| matches!(event, Event::Failed(Error::Io { action: "sync", .. }))));
    assert!(is_poisoned(&world.append_one("t", 0, 100)));
    assert_eq!(world.flushed, flushed, "nothing was promised");
    let syncs = world.disk.syncs();
    world.now += 3 * HOUR;
    world.settle();
    assert_eq!(world.disk.syncs(), syncs, "no sync is tried again");
    assert_eq!(world.view().queue_range("t", QueueId(0)).max.0, 1, "what was flushed stays readable, the rest unseen");
    world.crash(Crash::Power);
    world.open();
    world.accept_end();
    world.check();
    world.append_one("t", 0, 100).unwrap();
    world.settle();
    world.check();
}

/// The kernel takes the pages of a failed sync for clean. The store that is opened again on the same machine finds the message in
/// the page cache and makes it readable; then it must also reach the disk.
#[test]
fn what_a_failed_sync_left_in_the_page_cache_is_written_again() {
    for seed in 0..20 {
        let mut world = World::new(seed, FlushDiskType::Sync);
        world.append_one("t", 0, 1_500).unwrap();
        world.disk.fail_syncs(1);
        world.collect_jobs();
        while !world.outstanding.is_empty() {
            world.run_job(0);
        }
        world.crash(Crash::Process);
        world.open();
        assert_eq!(world.view().queue_range("t", QueueId(0)).max.0, 1, "the page cache still has it");
        world.crash(Crash::Power);
        world.open();
        assert_eq!(world.view().queue_range("t", QueueId(0)).max.0, 1, "seed {seed}: read once, then lost");
        world.check();
    }
}

#[test]
fn a_failed_write_ends_all_writing() {
    let mut world = World::new(2, FlushDiskType::Async);
    world.append_one("t", 0, 100).unwrap();
    world.disk.fail_writes(1);
    assert!(is_poisoned(&world.append_one("t", 0, 3000)));
    assert!(is_poisoned(&world.append_one("t", 0, 100)));
    world.crash(Crash::Process);
    world.open();
    world.accept_end();
    world.check();
}

#[test]
fn a_full_disk_refuses_changes_nothing_and_recovers() {
    for more in [0, 512, 1024, 2048] {
        let mut world = World::new(3, FlushDiskType::Async);
        for _ in 0..3 {
            world.append_one("t", 0, 700).unwrap();
        }
        let written = world.store().written();
        world.disk.limit_space(Some(more));
        let batch = vec![vec![world.fresh("t", 0, 2000)], vec![world.fresh("t", 1, 2000)]];
        for result in world.append(batch) {
            assert!(matches!(result, Err(AppendError::DiskFull(_))), "{result:?}");
        }
        assert_eq!(world.store().written(), written);
        // A crash right now must not bring the refused messages to life, nor one after shorter messages were written there.
        world.disk.limit_space(None);
        world.append_one("t", 0, 50).unwrap();
        world.settle();
        world.check();
        world.crash(Crash::Process);
        world.open();
        world.accept_end();
        assert_eq!(world.model.len(), 4);
        world.check();
    }
}

#[test]
fn refused_messages_do_not_come_to_life_behind_a_later_one() {
    let mut world = World::new(8, FlushDiskType::Async);
    world.append_one("t", 0, 500).unwrap();
    // Room for one record and a half of three that are written at once.
    world.disk.limit_space(Some(1024));
    let batch = (0..3).map(|_| vec![world.fresh("t", 0, 500)]).collect();
    assert!(world.append(batch).iter().all(|result| matches!(result, Err(AppendError::DiskFull(_)))));
    world.disk.limit_space(None);
    // As long as the first refused one: where it ends, the second one began.
    world.append_one("t", 0, 500).unwrap();
    world.crash(Crash::Process);
    world.open();
    world.accept_end();
    assert_eq!(world.model.len(), 2);
    assert_eq!(world.store().written().0, world.model[1].end);
    world.check();
}

#[test]
fn queues_that_cannot_be_written_wait_in_memory() {
    let mut world = World::new(4, FlushDiskType::Async);
    world.now += 10_000;
    world.settle();
    // So many that they are worth a write of their own.
    for _ in 0..64 {
        world.append_one("t", 0, 10).unwrap();
    }
    // Only the units are due now, not the look at the disk's space, which would find nothing wrong.
    world.disk.limit_space(Some(0));
    world.now += 2_000;
    world.follow();
    world.collect_jobs();
    while !world.outstanding.is_empty() {
        world.run_job(0);
    }
    assert!(world.events.iter().any(|event| matches!(event, Event::DiskFull(true))));
    assert!(matches!(world.append_one("t", 0, 100), Err(AppendError::DiskFull(_))));
    world.check();
    world.disk.limit_space(None);
    world.now += 11_000;
    world.settle();
    assert!(world.events.iter().any(|event| matches!(event, Event::DiskFull(false))));
    world.append_one("t", 0, 100).unwrap();
    world.now += 11_000;
    world.settle();
    world.crash(Crash::Process);
    world.open();
    world.accept_end();
    world.check();
    world.check_keys();
}

/// Messages in so many queues that their files are synced together.
fn many_queues(seed: u64) -> World {
    let mut world = World::new(seed, FlushDiskType::Async);
    for queue in 0..100 {
        world.append_one("t", queue, 100).unwrap();
    }
    world.settle();
    world
}

#[test]
fn many_queues_become_durable_with_one_sync() {
    let mut world = many_queues(9);
    world.now += 60_000;
    world.settle();
    assert_eq!(world.disk.volume_syncs(), 1);
    let known: Vec<_> =
        (0..100).map(|queue| world.disk.durable(&path(&format!("consumequeue/t/{queue}/{:020}", 0)))).collect();
    assert!(known.iter().all(Option::is_some), "a file of each queue survives");
    world.crash(Crash::Power);
    world.open();
    world.accept_end();
    assert_eq!(world.model.len(), 100);
    world.check();
}

#[test]
fn a_failed_sync_of_many_queues_ends_all_writing() {
    let mut world = many_queues(10);
    world.now += 60_000;
    world.follow();
    world.collect_jobs();
    // The log's own sync is done before the queues may be settled.
    while world.disk.volume_syncs() == 0 && world.store().poisoned().is_none() {
        if world.outstanding.is_empty() {
            world.collect_jobs();
        }
        assert!(!world.outstanding.is_empty(), "the queues are never settled");
        world.disk.fail_volume_syncs(1);
        world.run_job(0);
    }
    assert!(world.store().poisoned().is_some());
    assert!(matches!(world.append_one("t", 0, 100), Err(AppendError::Poisoned(_))));
}

#[test]
fn a_disk_above_the_warning_level_refuses_until_it_is_below() {
    let mut world = World::new(5, FlushDiskType::Async);
    world.disk.report_used(Some(0.95));
    world.settle();
    assert!(matches!(world.append_one("t", 0, 100), Err(AppendError::DiskFull(_))));
    world.disk.report_used(Some(0.5));
    world.now += 10_000;
    world.settle();
    world.append_one("t", 0, 100).unwrap();
    world.settle();
    world.check();
}

#[test]
fn expired_files_go_with_all_that_points_into_them() {
    let mut world = World::new(6, FlushDiskType::Async);
    for number in 0..60 {
        world.append_one("t", number % 2, 1000).unwrap();
        world.settle();
    }
    // One queue gets no more messages, and must keep its number.
    world.now += 100 * HOUR;
    world.disk.set_now(world.now);
    for _ in 0..10 {
        world.append_one("t", 0, 1000).unwrap();
        world.settle();
    }
    world.now += 20_000;
    world.settle();
    let logs = |world: &World| world.disk.paths().iter().filter(|p| p.starts_with(path("commitlog"))).count();
    let before = logs(&world);
    world.disk.report_used(Some(0.8));
    for _ in 0..3 {
        world.now += 10_000;
        world.settle();
    }
    assert!(world.events.iter().any(|event| matches!(event, Event::Deleted { segments: 1.., .. })));
    assert!(logs(&world) < before);
    let usage = world.view().usage();
    assert!(usage.first.0 > 0 && usage.first.0 % i64::try_from(SEGMENT).unwrap() == 0);
    world.check();
    world.check_keys();
    assert_eq!(world.view().queue_range("t", QueueId(1)).max.0, 30);
    let gone = path("consumequeue/t/0/00000000000000000000");
    assert_eq!(world.disk.content(&gone), None, "queue files that only point below go too");
    for crash in [Crash::Process, Crash::Power] {
        world.crash(crash);
        world.open();
        world.accept_end();
        world.check();
        world.append_one("t", 1, 100).unwrap();
        world.now += 30_000;
        world.settle();
        world.check();
    }
}

#[test]
fn an_operator_has_expired_files_deleted_at_any_hour() {
    let mut world = World::new(21, FlushDiskType::Async);
    for _ in 0..40 {
        world.append_one("t", 0, 1000).unwrap();
        world.settle();
    }
    world.now += 100 * HOUR;
    world.disk.set_now(world.now);
    world.append_one("t", 0, 1000).unwrap();
    world.settle();
    for _ in 0..3 {
        world.now += 10_000;
        world.settle();
    }
    assert_eq!(world.view().usage().first.0, 0, "no hour of deleteWhen, enough space");
    world.store().delete_expired();
    world.settle();
    assert!(world.view().usage().first.0 > 0);
    world.check();
}

#[test]
fn an_operator_has_queue_files_without_messages_deleted() {
    let mut world = World::new(22, FlushDiskType::Async);
    for _ in 0..80 {
        world.append_one("t", 0, 1000).unwrap();
        world.settle();
    }
    world.now += 30_000;
    world.settle();
    world.stop();
    // Retention was ended between the log and the queues.
    for number in 0..4 {
        let file = format!("commitlog/{:020}", number * SEGMENT);
        world.disk.remove(&path(&file)).unwrap();
    }
    world.open();
    world.accept_end();
    let files = |world: &World| {
        let queue = path("consumequeue/t/0");
        world.disk.paths().iter().filter(|file| file.starts_with(&queue)).count()
    };
    let before = files(&world);
    world.settle();
    assert_eq!(files(&world), before, "nobody looks at them unasked");
    world.store().clean_queues();
    world.settle();
    let first = world.view().queue_range("t", QueueId(0)).min.0;
    let gone = usize::try_from(first).unwrap() / 16;
    assert!(gone > 0 && before - files(&world) == gone, "{before} files, {first} messages gone");
    world.check();
    world.append_one("t", 0, 100).unwrap();
    world.settle();
    world.check();
}

#[test]
fn a_flipped_bit_ends_the_log_there_and_nothing_behind_it_comes_back() {
    for at in [9, 30, 100, 200] {
        let mut world = World::new(7, FlushDiskType::Async);
        for _ in 0..6 {
            world.append_one("t", 0, 200).unwrap();
        }
        world.follow();
        let third = usize::try_from(world.model[2].physical).unwrap();
        world.crash(Crash::Process);
        world.disk.flip_bit(&path("commitlog/00000000000000000000"), third + at, 3);
        world.open();
        assert_eq!(world.store().written().0, world.model[1].end, "byte {at}");
        world.model.truncate(2);
        world.check();
        // A message as long as the damaged one: its old successors would follow it without a seam.
        world.append_one("t", 0, 200).unwrap();
        world.crash(Crash::Process);
        world.open();
        world.accept_end();
        assert_eq!(world.model.len(), 3);
        world.check();
    }
}
