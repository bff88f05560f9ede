//! What lies on disk: Java's layout, and what happens when it is not as it should be.

use mqcontainer::config::FlushDiskType;
use mqcontainer::env::{Disk, OpenMode};
use mqcontainer::protocol::ids::{PhysicalOffset, QueueId};
use mqcontainer::store::{AppendError, Error, TopicError};

use crate::disk::Crash;
use crate::world::{QUEUE_FILE, SEGMENT, World, message, path};

fn long(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(*bytes[at..].first_chunk().unwrap())
}

fn int(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(*bytes[at..].first_chunk().unwrap())
}

fn filled(flush: FlushDiskType) -> World {
    let mut world = World::new(10, flush);
    for number in 0..40 {
        world.append_one("t", number % 2, 700).unwrap();
    }
    world.now += 30_000;
    world.settle();
    world.now += 30_000;
    world.settle();
    world
}

#[test]
fn a_full_log_file_ends_with_a_blank_and_has_its_length() {
    let world = filled(FlushDiskType::Async);
    let first = world.disk.content(&path("commitlog/00000000000000000000")).unwrap();
    assert_eq!(first.len() as u64, SEGMENT);
    let last = world.model.iter().rfind(|message| message.end <= SEGMENT as i64).unwrap();
    let end = usize::try_from(last.end).unwrap();
    assert_eq!(int(&first, end), i32::try_from(first.len() - end).unwrap());
    assert_eq!(int(&first, end + 4), -875_286_124);
    let second = world.disk.content(&path("commitlog/00000000000000008192")).unwrap();
    assert_eq!(long(&second, 28), 8192, "PHYSICALOFFSET of the first record");
}

#[test]
fn a_queue_file_has_units_of_position_size_and_tags_code() {
    let world = filled(FlushDiskType::Async);
    let file = world.disk.content(&path("consumequeue/t/0/00000000000000000000")).unwrap();
    assert_eq!(file.len() as u64, QUEUE_FILE);
    for (number, message) in world.model.iter().filter(|message| message.queue == 0).take(16).enumerate() {
        assert_eq!(long(&file, number * 20), message.physical);
        assert_eq!(i64::from(int(&file, number * 20 + 8)), message.end - message.physical);
        // Java's hash of "tag0" is 3552214; the next tags differ in the last character.
        let body = std::str::from_utf8(&message.body).unwrap();
        let distinct: i64 = body.split(':').next().unwrap().parse().unwrap();
        assert_eq!(long(&file, number * 20 + 12), 3_552_214 + distinct % 3);
    }
    assert!(world.disk.content(&path("consumequeue/t/0/00000000000000000320")).is_some());
}

#[test]
fn a_queue_that_does_not_begin_at_zero_is_filled_with_blanks_and_survives() {
    let mut world = filled(FlushDiskType::Async);
    world.stop();
    // Retention took the beginning of the log, and somebody deleted the queues.
    world.disk.remove(&path("commitlog/00000000000000000000")).unwrap();
    world.disk.remove_dir(&path("consumequeue")).unwrap();
    world.open();
    world.accept_end();
    world.check();
    world.settle();
    let first = world.model.iter().find(|message| message.queue == 0 && message.physical >= SEGMENT as i64).unwrap();
    let file = world.disk.content(&path("consumequeue/t/0/00000000000000000000")).unwrap();
    assert!(first.offset > 0);
    for number in 0..usize::try_from(first.offset).unwrap() {
        assert_eq!(
            (long(&file, number * 20), int(&file, number * 20 + 8), long(&file, number * 20 + 12)),
            (0, i32::MAX, 0)
        );
    }
    assert_eq!(long(&file, usize::try_from(first.offset).unwrap() * 20), first.physical);
    world.stop();
    world.open();
    world.check();
}

#[test]
fn a_file_lost_among_those_that_were_never_durable_costs_no_older_ones() {
    let mut world = World::new(11, FlushDiskType::Async);
    let fill = |world: &mut World, count| {
        for _ in 0..count {
            world.append_one("t", 0, 100).unwrap();
        }
    };
    let run_jobs = |world: &mut World| {
        world.follow();
        world.collect_jobs();
        while !world.outstanding.is_empty() {
            world.run_job(0);
        }
    };
    fill(&mut world, 10);
    world.now += 60_000;
    run_jobs(&mut world);
    // One more than is durable when the checkpoint is written: it cannot count the messages of all queues.
    fill(&mut world, 1);
    run_jobs(&mut world);
    // So many that they are written although it is not time for the queues to be durable.
    fill(&mut world, 79);
    world.now += 1_000;
    world.settle();
    world.crash(Crash::Process);
    // As after a power failure that kept the name of the third file and not that of the second.
    assert!(world.disk.content(&path("consumequeue/t/0/00000000000000000640")).is_some());
    world.disk.remove(&path("consumequeue/t/0/00000000000000000320")).unwrap();
    world.open();
    world.accept_end();
    assert_eq!(world.model.len(), 90);
    world.check();
}

#[test]
fn index_items_of_an_earlier_life_are_not_taken_for_good_ones() {
    let mut world = World::new(12, FlushDiskType::Async);
    for _ in 0..10 {
        world.append_one("t", 0, 100).unwrap();
    }
    world.now += 60_000;
    world.settle();
    let durable = world.store().written().0.unsigned_abs();
    for _ in 0..16 {
        world.append_one("t", 0, 10).unwrap();
    }
    world.now += 5_000;
    world.settle();
    world.crash(Crash::Process);
    // As after a power failure that kept the new items of the index and lost the messages they point to.
    let log = world.disk.open(&path("commitlog/00000000000000000000"), OpenMode::Existing).unwrap();
    log.zero(durable, SEGMENT - durable).unwrap();
    world.open();
    world.accept_end();
    assert_eq!(world.model.len(), 10);
    // The log grows past what those items point to, with fewer keys.
    world.append_one("t", 0, 3_000).unwrap();
    world.now += 60_000;
    world.settle();
    let items = |world: &World| -> Vec<i32> {
        let files = world.disk.list(&path("index")).unwrap();
        files.iter().map(|file| int(&world.disk.content(&path(&format!("index/{}", file.name))).unwrap(), 36)).collect()
    };
    let before = items(&world);
    world.crash(Crash::Process);
    world.open();
    world.accept_end();
    assert_eq!(items(&world), before);
    world.check_keys();
}

#[test]
fn the_mark_of_a_running_broker_goes_only_after_everything_is_in_the_queues() {
    let mut world = filled(FlushDiskType::Sync);
    assert_eq!(world.disk.content(&path("abort")), Some(std::process::id().to_string().into_bytes()));
    world.append_one("t", 0, 100).unwrap();
    world.stop();
    assert_eq!(world.disk.content(&path("abort")), None);
    let checkpoint = world.disk.content(&path("checkpoint")).unwrap();
    assert_eq!(checkpoint.len(), 4096);
    let last = world.model.last().unwrap().clone();
    assert_eq!((long(&checkpoint, 0), long(&checkpoint, 8)), (last.time, last.time));
    assert_eq!(long(&checkpoint, 40), last.end);
    world.open();
    world.accept_end();
    assert_eq!(world.store().written().0, last.end);
    world.check();
    world.check_keys();
}

#[test]
fn after_a_power_failure_only_what_was_not_durable_is_read_again() {
    for seed in 0..20 {
        let mut world = World::new(seed, FlushDiskType::Async);
        for number in 0..40 {
            world.append_one("t", number % 2, 700).unwrap();
        }
        world.now += 30_000;
        world.settle();
        world.crash(Crash::Power);
        assert_eq!(world.open_counting(), 0, "all of it was in the checkpoint");
        world.accept_end();
        world.check();
        for _ in 0..3 {
            world.append_one("t", 0, 700).unwrap();
        }
        world.crash(Crash::Process);
        assert_eq!(world.open_counting(), 3);
        world.accept_end();
        world.check();
    }
}

#[test]
fn a_store_that_is_never_idle_moves_its_checkpoint() {
    let mut world = World::new(13, FlushDiskType::Async);
    for _ in 0..600 {
        world.append_one("t", 0, 100).unwrap();
        world.follow();
        world.now += 100;
        // Something is always appended and dispatched between a job's start and its end.
        if !world.outstanding.is_empty() {
            world.run_job(0);
        }
        world.append_one("t", 0, 100).unwrap();
        world.follow();
        world.collect_jobs();
    }
    let checkpoint = world.disk.content(&path("checkpoint")).expect("a checkpoint was written");
    assert!(long(&checkpoint, 40) > world.model.last().unwrap().end / 2);
    world.crash(Crash::Process);
    let read = world.open_counting();
    assert!(read > 0 && read < 600, "{read} of 1200 records were read again");
    world.accept_end();
    world.check();
    world.check_keys();
}

#[test]
fn a_store_is_open_once() {
    let mut world = filled(FlushDiskType::Async);
    assert!(matches!(world.try_open(), Err(Error::Locked { .. })));
    world.stop();
    world.open();
}

#[test]
fn files_of_another_length_are_named() {
    for (file, key) in [
        ("commitlog/00000000000000008192", "mappedFileSizeCommitLog"),
        ("consumequeue/t/0/00000000000000000000", "mappedFileSizeConsumeQueue"),
    ] {
        let mut world = filled(FlushDiskType::Async);
        world.stop();
        world.disk.open(&path(file), OpenMode::Create { len: SEGMENT + 1 }).unwrap();
        let Err(Error::FileSize { path: named, actual, key: named_key, .. }) = world.try_open() else {
            panic!("{file} is refused")
        };
        assert_eq!((named, actual, named_key), (path(file), SEGMENT + 1, key));
    }
}

#[test]
fn a_missing_log_file_is_named_and_an_empty_newest_one_is_a_leftover() {
    let mut world = filled(FlushDiskType::Async);
    world.stop();
    let newest = world.model.last().unwrap().end / SEGMENT as i64 * SEGMENT as i64;
    let leftover = path(&format!("commitlog/{:020}", newest + SEGMENT as i64));
    world.disk.open(&leftover, OpenMode::Create { len: 0 }).unwrap();
    world.open();
    world.check();
    world.stop();
    world.disk.remove(&path("commitlog/00000000000000008192")).unwrap();
    let Err(Error::MissingFile { path: named }) = world.try_open() else { panic!("a gap is refused") };
    assert_eq!(named, path("commitlog/00000000000000008192"));
}

#[test]
fn lost_queues_are_built_anew_from_the_log() {
    for lost in ["consumequeue", "consumequeue/t", "consumequeue/t/1"] {
        for crashed in [false, true] {
            let mut world = filled(FlushDiskType::Async);
            world.append_one("other", 0, 100).unwrap();
            world.now += 30_000;
            world.settle();
            if crashed {
                world.crash(Crash::Process)
            } else {
                world.stop()
            }
            world.disk.remove_dir(&path(lost)).unwrap();
            world.open();
            world.accept_end();
            world.check();
            world.now += 30_000;
            world.settle();
            world.stop();
            world.open();
            world.check();
        }
    }
}

#[test]
fn without_a_log_the_queues_go_too() {
    let mut world = filled(FlushDiskType::Async);
    world.stop();
    world.disk.remove_dir(&path("commitlog")).unwrap();
    world.open();
    world.model.clear();
    world.flushed = 0;
    world.check();
    assert_eq!(world.store().written(), PhysicalOffset(0));
    world.append_one("t", 0, 100).unwrap();
    world.settle();
    world.check();
}

#[test]
fn a_deleted_topic_begins_anew_and_its_records_in_flight_stay_unseen() {
    let mut world = World::new(11, FlushDiskType::Sync);
    for _ in 0..3 {
        world.append_one("t", 0, 100).unwrap();
    }
    world.settle();
    world.append_one("t", 0, 100).unwrap();
    world.append_one("u", 0, 100).unwrap();
    world.store().delete_topic("t");
    world.model.retain(|message| message.topic != "t");
    world.append_one("t", 0, 100).unwrap();
    world.settle();
    world.now += 1_000;
    world.settle();
    world.check();
    for crash in [Crash::Process, Crash::Power] {
        world.crash(crash);
        world.open();
        world.accept_end();
        world.check();
        world.append_one("t", 0, 100).unwrap();
        world.settle();
    }
}

#[test]
fn names_that_would_leave_the_folder_are_refused() {
    let mut world = World::new(12, FlushDiskType::Async);
    let batches = ["", "..", "a/b", "ok"].map(|topic| vec![message(topic, 0, b"x", "")]).to_vec();
    let results = world.append(batches);
    assert_eq!(results[0], Err(AppendError::TopicInvalid(TopicError::Empty)));
    assert!(matches!(results[1], Err(AppendError::TopicInvalid(TopicError::Character(_)))));
    assert!(matches!(results[2], Err(AppendError::TopicInvalid(TopicError::Character(_)))));
    assert_eq!(results[3].as_ref().unwrap().queue_offset.0, 0);
    assert_eq!(world.append(vec![vec![message("t", -1, b"x", "")]])[0], Err(AppendError::QueueInvalid(-1)));
    assert_eq!(world.append(vec![vec![]])[0], Err(AppendError::Empty));
    let long = vec![vec![message("t", 0, &[0; 4001], "")]];
    assert_eq!(world.append(long)[0], Err(AppendError::MessageTooLarge { size: 4001, max: 4000 }));
    let batch = vec![(0..4).map(|_| message("t", 0, &[0; 3000], "")).collect()];
    assert!(matches!(world.append(batch)[0], Err(AppendError::MessageTooLarge { max: 8184, .. })));
    let properties = "p".repeat(32_768);
    let wide = vec![vec![message("t", 0, b"x", &properties)]];
    assert_eq!(world.append(wide)[0], Err(AppendError::PropertiesTooLarge { size: 32_768 }));
    assert_eq!(world.view().queue_range("t", QueueId(0)).max.0, 0);
}
