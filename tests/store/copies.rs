//! A store whose log is a copy of another's.

use bytes::Bytes;
use mqcontainer::config::FlushDiskType;
use mqcontainer::env::{Disk, OpenMode};
use mqcontainer::protocol::ids::{Millis, PhysicalOffset, QueueId};
use mqcontainer::store::{AppendError, Event, Patience};

use crate::disk::Crash;
use crate::world::{SEGMENT, World, path};

const SEGMENT_BYTES: i64 = SEGMENT as i64;

/// A slave without a byte.
pub fn follower(seed: u64, flush: FlushDiskType) -> World {
    let mut world = World::new(seed, flush);
    world.store().follow_master();
    world
}

/// Bytes of a log from a position on, of one file.
pub fn bytes_at(world: &World, from: PhysicalOffset, max: usize) -> Option<Bytes> {
    world.view().log_bytes(from, max, Patience::MayBlock).unwrap()
}

/// Sends frames of at most `frame` bytes until the copy is complete.
pub fn catch_up(leader: &World, follower: &mut World, frame: usize) {
    let mut at = follower.store().written();
    if at == PhysicalOffset(0) {
        at = leader.view().log_start_for_empty_slave();
    }
    while let Some(bytes) = bytes_at(leader, at, frame) {
        let now = Millis(follower.now);
        at = follower.store().append_raw(at, bytes, now).unwrap();
    }
}

/// The follower has the leader's messages below its end, and nothing else.
pub fn check_copy(leader: &World, follower: &mut World) {
    let (first, written) = follower.view().log_range();
    assert!(written <= leader.view().log_range().1);
    let mut at = first.max(leader.view().log_range().0);
    while at < written {
        let max = usize::try_from(written - at).unwrap();
        let copy = bytes_at(follower, at, max).unwrap();
        assert!(bytes_at(leader, at, copy.len()).unwrap() == copy, "the copy differs somewhere behind {at}");
        at = at + copy.len() as i64;
    }
    follower.model = leader.model.iter().filter(|m| m.physical >= first.0 && m.end <= written.0).cloned().collect();
    follower.check();
    follower.check_keys();
}

fn filled_leader(messages: i32) -> World {
    let mut leader = World::new(30, FlushDiskType::Async);
    for number in 0..messages {
        leader.append_one("t", number % 2, 700).unwrap();
    }
    leader
}

#[test]
fn a_copy_has_the_same_bytes_queues_and_keys() {
    for frame in [1, 7, 1000, 32 << 10] {
        let mut leader = filled_leader(8);
        let mut follower = follower(31, FlushDiskType::Sync);
        catch_up(&leader, &mut follower, frame);
        for number in 0..40 {
            leader.append_one("t", number % 3, 700).unwrap();
            catch_up(&leader, &mut follower, frame);
        }
        follower.settle();
        assert_eq!(follower.store().written(), leader.store().written());
        assert_eq!(follower.flushed, leader.store().written().0);
        check_copy(&leader, &mut follower);
        follower.stop();
        follower.open();
        follower.store().follow_master();
        leader.append_one("t", 0, 700).unwrap();
        catch_up(&leader, &mut follower, frame);
        follower.settle();
        check_copy(&leader, &mut follower);
    }
}

#[test]
fn an_empty_copy_begins_with_the_newest_file_of_its_master() {
    let leader = filled_leader(40);
    let start = leader.view().log_start_for_empty_slave();
    assert!(start.0 > SEGMENT_BYTES && start.0 % SEGMENT_BYTES == 0);
    for crash in [Crash::Process, Crash::Power] {
        let mut follower = World::new(32, FlushDiskType::Async);
        // A file that was made ahead before it became a slave.
        follower.settle();
        assert!(follower.disk.content(&path("commitlog/00000000000000000000")).is_some());
        follower.store().follow_master();
        let now = Millis(follower.now);
        let refused = follower.store().append_raw(start + 8, Bytes::from_static(b"x"), now);
        assert_eq!(refused, Err(AppendError::NotFileStart { at: start + 8, segment_bytes: SEGMENT_BYTES }));
        catch_up(&leader, &mut follower, 100);
        assert_eq!(follower.view().log_range().0, start);
        follower.settle();
        check_copy(&leader, &mut follower);
        follower.now += 30_000;
        follower.settle();
        follower.crash(crash);
        follower.open();
        follower.store().follow_master();
        assert_eq!(follower.view().log_range().0, start);
        catch_up(&leader, &mut follower, 100);
        follower.settle();
        check_copy(&leader, &mut follower);
    }
}

#[test]
fn a_part_of_a_record_is_not_on_disk_and_comes_again() {
    let mut leader = filled_leader(1);
    let mut follower = follower(33, FlushDiskType::Async);
    let whole = leader.store().written();
    leader.append_one("t", 0, 700).unwrap();
    let end = leader.store().written();
    let cut = whole + (end - whole - 1);
    let bytes = bytes_at(&leader, PhysicalOffset(0), usize::try_from(cut.0).unwrap()).unwrap();
    let now = Millis(follower.now);
    assert_eq!(follower.store().append_raw(PhysicalOffset(0), bytes, now), Ok(cut));
    assert_eq!((follower.store().written(), follower.store().received()), (whole, cut));
    let log = follower.disk.content(&path("commitlog/00000000000000000000")).unwrap();
    assert!(log[usize::try_from(whole.0).unwrap()..].iter().all(|byte| *byte == 0));
    follower.settle();
    check_copy(&leader, &mut follower);
    // A new connection, without a new start of the store.
    catch_up(&leader, &mut follower, 1 << 20);
    follower.settle();
    check_copy(&leader, &mut follower);
    assert_eq!(follower.store().written(), end);
}

#[test]
fn who_follows_takes_no_messages_and_who_leads_no_bytes() {
    let leader = filled_leader(1);
    let bytes = bytes_at(&leader, PhysicalOffset(0), 1 << 20).unwrap();
    let mut world = World::new(34, FlushDiskType::Async);
    let now = Millis(world.now);
    assert_eq!(world.store().append_raw(PhysicalOffset(0), bytes.clone(), now), Err(AppendError::NotFollowing));
    world.store().follow_master();
    assert_eq!(world.append_one("t", 0, 10), Err(AppendError::NotLeading));
    let end = world.store().append_raw(PhysicalOffset(0), bytes.clone(), now).unwrap();
    for at in [PhysicalOffset(SEGMENT_BYTES), end + 1, end + -1, PhysicalOffset(0)] {
        let refused = world.store().append_raw(at, bytes.clone(), now);
        assert_eq!(refused, Err(AppendError::NotAtEnd { at, end }));
    }
    let refused = world.store().append_raw(end, bytes, now);
    assert!(matches!(refused, Err(AppendError::Damaged { position, .. }) if position == end), "{refused:?}");
    assert_eq!(world.store().poisoned(), None);
    world.settle();
    check_copy(&leader, &mut world);
}

#[test]
fn a_disk_that_is_full_or_fails_promises_nothing() {
    let leader = filled_leader(4);
    let end = leader.view().log_range().1;
    let bytes = bytes_at(&leader, PhysicalOffset(0), 1 << 20).unwrap();
    let mut follower = follower(35, FlushDiskType::Async);
    let now = Millis(follower.now);
    follower.disk.limit_space(Some(1024));
    let refused = follower.store().append_raw(PhysicalOffset(0), bytes.clone(), now);
    assert!(matches!(refused, Err(AppendError::DiskFull(_))), "{refused:?}");
    let at = follower.store().written();
    assert_eq!((at, follower.store().received()), (PhysicalOffset(0), PhysicalOffset(0)));
    let log = follower.disk.open(&path("commitlog/00000000000000000000"), OpenMode::Existing).unwrap();
    let mut head = [1; 8];
    log.read_exact_at(0, &mut head).unwrap();
    assert_eq!(head, [0; 8], "bytes of the failed write are erased");
    follower.disk.limit_space(None);
    assert_eq!(follower.store().append_raw(at, bytes.clone(), now), Ok(end));
    follower.settle();
    check_copy(&leader, &mut follower);
    let mut failing = World::new(36, FlushDiskType::Async);
    failing.store().follow_master();
    failing.disk.fail_writes(1);
    let refused = failing.store().append_raw(PhysicalOffset(0), bytes, now);
    assert!(matches!(refused, Err(AppendError::Poisoned(_))), "{refused:?}");
    failing.crash(Crash::Process);
    failing.open();
    check_copy(&leader, &mut failing);
}

#[test]
fn a_topic_made_anew_begins_anew_in_its_copy() {
    for crash in [None, Some(Crash::Process), Some(Crash::Power)] {
        let mut leader = World::new(37, FlushDiskType::Async);
        let mut follower = follower(38, FlushDiskType::Async);
        (0..40).for_each(|number| drop(leader.append_one("t", number % 2, 20).unwrap()));
        catch_up(&leader, &mut follower, 1000);
        // The old units are in files, durably.
        follower.now += 30_000;
        follower.settle();
        check_copy(&leader, &mut follower);
        leader.store().delete_topic("t");
        leader.model.clear();
        (0..3).for_each(|number| drop(leader.append_one("t", number % 2, 20).unwrap()));
        catch_up(&leader, &mut follower, 1000);
        follower.settle();
        check_copy(&leader, &mut follower);
        follower.now += 30_000;
        follower.settle();
        check_copy(&leader, &mut follower);
        match crash {
            Some(crash) => follower.crash(crash),
            None => follower.stop(),
        }
        assert_eq!(follower.open_counting(), 0, "the old units were gone from the files before the checkpoint moved");
        check_copy(&leader, &mut follower);
    }
}

#[test]
fn numbers_go_on_before_all_records_are_readable() {
    let mut leader = filled_leader(5);
    // Nothing is readable without a sync.
    let mut follower = follower(39, FlushDiskType::Sync);
    catch_up(&leader, &mut follower, 1000);
    leader.store().delete_topic("t");
    leader.model.clear();
    leader.append_one("t", 0, 20).unwrap();
    leader.append_one("u", 0, 20).unwrap();
    catch_up(&leader, &mut follower, 1000);
    follower.model = leader.model.clone();
    assert!(!follower.store().lead());
    assert_eq!(follower.append_one("t", 0, 20), Err(AppendError::NotLeading));
    follower.collect_jobs();
    let count = follower.outstanding.iter().position(|job| job.name() == "count queues").unwrap();
    follower.run_job(count);
    assert!(follower.events.iter().any(|event| matches!(event, Event::Leading)));
    assert_eq!(follower.flushed, 0);
    // The model knows the numbers: one message each of t and u.
    follower.append_one("t", 0, 20).unwrap();
    follower.append_one("u", 0, 20).unwrap();
    follower.settle();
    let queues = [("t", 0, 2), ("u", 0, 2)];
    for (topic, queue, max) in queues {
        assert_eq!(follower.view().queue_range(topic, QueueId(queue)).max.0, max, "{topic} {queue}");
    }
}

#[test]
fn what_it_leads_from_is_synced_at_once() {
    let leader = filled_leader(3);
    let mut follower = follower(41, FlushDiskType::Async);
    catch_up(&leader, &mut follower, 1000);
    let sync_wanted = |follower: &mut World| {
        follower.collect_jobs();
        follower.outstanding.iter().any(|job| job.name() == "sync log")
    };
    assert!(!sync_wanted(&mut follower), "a copy waits for its interval");
    follower.store().lead();
    assert!(sync_wanted(&mut follower));
    follower.settle();
    assert_eq!(follower.store().flushed(), follower.store().written());
}

#[test]
fn a_cut_is_refused_outside_of_the_log_and_without_a_master() {
    let leader = filled_leader(3);
    let mut world = World::new(40, FlushDiskType::Async);
    assert_eq!(world.store().cut_back(PhysicalOffset(0)), Err(AppendError::NotFollowing));
    world.store().follow_master();
    catch_up(&leader, &mut world, 1000);
    let end = world.store().written();
    let outside = AppendError::CutOutside { to: end + 1, first: PhysicalOffset(0), end };
    assert_eq!(world.store().cut_back(end + 1), Err(outside));
    assert_eq!(world.store().cut_back(end + -1), Ok(()));
    assert_eq!(world.store().cut_back(PhysicalOffset(0)), Err(AppendError::Changing));
    let now = Millis(world.now);
    assert_eq!(world.store().append_raw(end, Bytes::from_static(b"x"), now), Err(AppendError::Changing));
    world.settle();
    let start = PhysicalOffset(leader.model[2].physical);
    assert!(matches!(world.events.last(), Some(Event::CutBack(end)) if *end == start), "{:?}", world.events.last());
    assert_eq!((world.store().written(), world.view().log_range().1), (start, start));
    check_copy(&leader, &mut world);
    catch_up(&leader, &mut world, 1000);
    world.settle();
    check_copy(&leader, &mut world);
}

#[test]
fn a_topic_that_is_deleted_while_queues_are_written_keeps_its_new_messages() {
    let mut world = World::new(41, FlushDiskType::Async);
    (0..64).for_each(|_| drop(world.append_one("t", 0, 10).unwrap()));
    world.now += 2_000;
    world.follow();
    world.collect_jobs();
    assert!(world.outstanding.iter().any(|job| job.name() == "write queues"));
    world.store().delete_topic("t");
    world.model.clear();
    (0..64).for_each(|_| drop(world.append_one("t", 0, 10).unwrap()));
    world.follow();
    // The job of before takes what it finds.
    world.settle();
    world.now += 30_000;
    world.settle();
    world.check();
    world.crash(Crash::Power);
    world.open();
    world.accept_end();
    world.check();
}

fn run_jobs(world: &mut World) {
    world.follow();
    world.collect_jobs();
    while !world.outstanding.is_empty() {
        world.run_job(0);
    }
}

#[test]
fn a_cut_holds_from_its_event_on_also_below_the_checkpoint() {
    for crash in [Crash::Process, Crash::Power] {
        let mut follower = World::new(42, FlushDiskType::Async);
        (0..5).for_each(|number| drop(follower.append_one("t", number % 2, 700).unwrap()));
        follower.now += 60_000;
        run_jobs(&mut follower);
        // More than is durable when the checkpoint is written: it cannot count the messages of all queues, which would tell that
        // it is too new.
        follower.append_one("t", 1, 700).unwrap();
        run_jobs(&mut follower);
        let checkpoint = follower.disk.content(&path("checkpoint")).unwrap();
        let position = i64::from_be_bytes(*checkpoint[40..].first_chunk().unwrap());
        assert_eq!(position, follower.model[4].end);
        follower.store().follow_master();
        let to = PhysicalOffset(follower.model[3].end);
        follower.store().cut_back(to).unwrap();
        run_jobs(&mut follower);
        assert!(matches!(follower.events.last(), Some(Event::CutBack(end)) if *end == to));
        follower.crash(crash);
        follower.open();
        assert_eq!(follower.store().written(), to);
        follower.model.truncate(4);
        follower.check();
        follower.check_keys();
    }
}
