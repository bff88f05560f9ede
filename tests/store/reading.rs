//! Reading: statuses, limits, filters, times, keys.

use mqcontainer::config::FlushDiskType;
use mqcontainer::protocol::headers::offset::Boundary;
use mqcontainer::protocol::ids::{Millis, PhysicalOffset, QueueId, QueueOffset};
use mqcontainer::store::{GetStatus, KeyQuery, Patience, Read, ReadRequest};

use crate::world::{World, message};

fn read(world: &World, from: i64, max_messages: usize, max_bytes: usize, tag: Option<i64>) -> Read {
    let wanted = |code: i64| Some(code) == tag;
    let request = ReadRequest {
        topic: "t",
        queue: QueueId(0),
        from: QueueOffset(from),
        max_messages,
        max_bytes,
        filter: tag.is_some().then_some(&wanted as _),
    };
    world.view().read(&request, Patience::MayBlock).unwrap()
}

/// Ten messages, the numbers 0 to 9, stored at 1,000 ms distance two at a time; tags x and y by turns.
fn ten(world: &mut World, written: bool) {
    for number in 0..10u8 {
        let tag = if number % 2 == 0 { "x" } else { "y" };
        world.append(vec![vec![message("t", 0, &[number; 100], &format!("TAGS\u{1}{tag}\u{2}"))]])[0].as_ref().unwrap();
        world.follow();
        if number % 2 == 1 {
            world.now += 1_000;
        }
        if written {
            world.settle();
        }
    }
}

fn check(world: &World, from: i64, expected: (GetStatus, i64, usize)) {
    let found = read(world, from, 32, 1 << 20, None);
    assert_eq!((found.status, found.next.0, found.messages.len()), expected, "from {from}");
}

#[test]
fn statuses_are_java_s() {
    let mut world = World::new(20, FlushDiskType::Async);
    check(&world, 0, (GetStatus::NoMessageInQueue, 0, 0));
    check(&world, 5, (GetStatus::NoMessageInQueue, 0, 0));
    ten(&mut world, false);
    check(&world, -1, (GetStatus::OffsetTooSmall, 0, 0));
    check(&world, 0, (GetStatus::Found, 10, 10));
    check(&world, 9, (GetStatus::Found, 10, 1));
    check(&world, 10, (GetStatus::OffsetOverflowOne, 10, 0));
    check(&world, 11, (GetStatus::OffsetOverflowBadly, 10, 0));
}

#[test]
fn limits_and_filters_hold_in_memory_and_in_files() {
    for written in [false, true] {
        let mut world = World::new(21, FlushDiskType::Async);
        ten(&mut world, written);
        let found = |read: Read| (read.status, read.next.0, read.messages.len());
        assert_eq!(found(read(&world, 0, 3, 1 << 20, None)), (GetStatus::Found, 3, 3));
        assert_eq!(found(read(&world, 0, 32, 500, None)), (GetStatus::Found, 2, 2));
        assert_eq!(found(read(&world, 0, 32, 1, None)), (GetStatus::Found, 1, 1), "one message is always given");
        let y = i64::from(b'y');
        assert_eq!(found(read(&world, 0, 32, 1 << 20, Some(y))), (GetStatus::Found, 10, 5));
        assert_eq!(found(read(&world, 0, 2, 1 << 20, Some(y))), (GetStatus::Found, 4, 2), "Java stops when it is full");
        assert_eq!(found(read(&world, 0, 32, 1 << 20, Some(1))), (GetStatus::NoMatchedMessage, 10, 0));
    }
}

#[test]
fn messages_are_shown_only_when_they_are_durable() {
    let mut world = World::new(22, FlushDiskType::Sync);
    ten(&mut world, false);
    check(&world, 0, (GetStatus::NoMessageInQueue, 0, 0));
    assert_eq!(world.view().record_at(PhysicalOffset(0), Patience::MayBlock).unwrap(), None);
    assert!(world.arrivals.is_empty());
    world.settle();
    check(&world, 0, (GetStatus::Found, 10, 10));
    let offsets: Vec<i64> = world.arrivals.iter().map(|arrival| arrival.queue_offset.0).collect();
    assert_eq!(offsets, (0..10).collect::<Vec<i64>>());
}

#[test]
fn a_record_is_found_where_it_starts_and_nowhere_else() {
    let mut world = World::new(23, FlushDiskType::Async);
    ten(&mut world, true);
    let view = world.view();
    for message in &world.model {
        let record = view.record_at(PhysicalOffset(message.physical), Patience::MayBlock).unwrap().unwrap();
        assert_eq!(i64::try_from(record.len()).unwrap(), message.end - message.physical);
    }
    for nowhere in [-1, 1, 4, world.model[3].physical + 8, world.model[9].end, i64::MAX] {
        assert_eq!(view.record_at(PhysicalOffset(nowhere), Patience::MayBlock).unwrap(), None, "{nowhere}");
    }
}

#[test]
fn times_lead_to_messages_as_in_java() {
    let mut world = World::new(24, FlushDiskType::Async);
    let start = world.now;
    let at = |world: &World, time: i64, boundary| {
        world.view().offset_by_time("t", QueueId(0), Millis(start + time), boundary, Patience::MayBlock).unwrap().0
    };
    assert_eq!((at(&world, 0, Boundary::Lower), at(&world, 0, Boundary::Upper)), (0, 0));
    ten(&mut world, true);
    // Numbers 0, 1 at 0 ms; 2, 3 at 1,000 ms; ...; 8, 9 at 4,000 ms.
    for (time, lower, upper) in
        [(-1, 0, 0), (0, 0, 1), (1, 2, 1), (1_000, 2, 3), (2_500, 6, 5), (4_000, 8, 9), (4_001, 10, 9)]
    {
        assert_eq!((at(&world, time, Boundary::Lower), at(&world, time, Boundary::Upper)), (lower, upper), "{time}");
    }
}

#[test]
fn tags_keys_and_ids_lead_to_records() {
    let mut world = World::new(25, FlushDiskType::Async);
    let properties = "UNIQ_KEY\u{1}ID1\u{2}KEYS\u{1}a b\u{2}TAGS\u{1}blue\u{2}";
    world.append(vec![vec![message("t", 0, b"1", properties)], vec![message("t", 0, b"2", "KEYS\u{1}b\u{2}")]]);
    let find = |world: &World, key: &str, tag: bool| {
        let query = KeyQuery { topic: "t", key, tag, max: 64, begin: Millis(0), end: Millis(i64::MAX) };
        world.view().query_key(&query).unwrap().records.len()
    };
    for written in [false, true] {
        world.follow();
        if written {
            world.now += 300;
            world.settle();
        }
        let found = [("ID1", false), ("a", false), ("b", false), ("blue", true), ("blue", false), ("c", false)]
            .map(|(key, tag)| find(&world, key, tag));
        assert_eq!(found, [1, 1, 2, 1, 0, 0], "written {written}");
    }
}

#[test]
fn half_messages_have_no_place_in_a_queue() {
    let mut world = World::new(26, FlushDiskType::Async);
    let mut half = message("t", 0, b"half", "");
    half.sys_flag = 4;
    let appended = world.store().append(
        &[
            mqcontainer::store::Append { messages: vec![message("t", 0, b"1", "")].into() },
            mqcontainer::store::Append { messages: vec![half].into() },
            mqcontainer::store::Append { messages: vec![message("t", 0, b"2", "")].into() },
        ],
        Millis(1),
    );
    let offsets: Vec<i64> = appended.iter().map(|result| result.as_ref().unwrap().queue_offset.0).collect();
    assert_eq!(offsets, [0, 0, 1]);
    world.follow();
    check(&world, 0, (GetStatus::Found, 2, 2));
}

#[test]
fn delayed_messages_carry_their_due_time() {
    let mut world = World::new(27, FlushDiskType::Async);
    let now = world.now;
    for (level, delay) in [("1", 1_000), ("3", 10_000), ("9", 10_000)] {
        world.append(vec![vec![message("SCHEDULE_TOPIC_XXXX", 0, b"x", &format!("DELAY\u{1}{level}\u{2}"))]]);
        world.follow();
        let last = QueueOffset(world.view().queue_range("SCHEDULE_TOPIC_XXXX", QueueId(0)).max.0 - 1);
        let unit = world.view().queue_unit("SCHEDULE_TOPIC_XXXX", QueueId(0), last, Patience::CachedOnly).unwrap();
        assert_eq!(unit.unwrap().tags_code, now + delay, "level {level}");
    }
}
