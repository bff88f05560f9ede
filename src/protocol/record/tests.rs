use proptest::prelude::*;

use super::*;

fn sample() -> NewRecord<'static> {
    NewRecord {
        topic: "orders",
        queue_id: QueueId(3),
        flag: 7,
        sys_flag: 0,
        born_timestamp: Millis(1_700_000_000_000),
        born_host: "127.0.0.1:50000".parse().unwrap(),
        store_host: "127.0.0.1:10911".parse().unwrap(),
        reconsume_times: 1,
        prepared_transaction_offset: PhysicalOffset(0),
        body: b"hello",
        properties: b"TAGS\x01a\x02UNIQ_KEY\x01u\x02",
    }
}

fn encoded(record: &NewRecord<'_>) -> BytesMut {
    let mut bytes = BytesMut::new();
    assert_eq!(encode(record, &mut bytes), Ok(size_of(record)));
    assert_eq!(bytes.len(), size_of(record));
    patch(&mut bytes, QueueOffset(9), PhysicalOffset(1000), Millis(1_700_000_000_001));
    bytes
}

fn check(record: &NewRecord<'_>) {
    let bytes = encoded(record);
    let view = RecordView::parse(&bytes, BodyCrc::Check).unwrap();
    let read = NewRecord { sys_flag: view.sys_flag & !(BORN_HOST_V6 | STORE_HOST_V6), ..view.to_new() };
    assert_eq!(&read, record);
    assert_eq!(
        (view.queue_offset, view.physical_offset, view.store_timestamp),
        (QueueOffset(9), PhysicalOffset(1000), Millis(1_700_000_000_001))
    );
    assert_eq!(view.sys_flag & BORN_HOST_V6 != 0, record.born_host.is_ipv6());
    assert_eq!(view.sys_flag & STORE_HOST_V6 != 0, record.store_host.is_ipv6());
    assert_eq!(view.magic == MAGIC_V2, record.topic.len() > 127);
}

#[test]
fn records_of_every_shape_come_back() {
    let v6: SocketAddr = "[::1]:1".parse().unwrap();
    check(&sample());
    check(&NewRecord { born_host: v6, ..sample() });
    check(&NewRecord { store_host: v6, ..sample() });
    check(&NewRecord { born_host: v6, store_host: v6, ..sample() });
    check(&NewRecord { body: b"", properties: b"", ..sample() });
    check(&NewRecord { topic: &"t".repeat(127), ..sample() });
    check(&NewRecord { topic: &"t".repeat(128), ..sample() });
    check(&NewRecord { topic: &"t".repeat(255), ..sample() });
}

#[test]
fn the_layout_is_java_s() {
    let bytes = encoded(&sample());
    assert_eq!(bytes.len(), RECORD_SIZE_MIN + 5 + 6 + 18);
    assert_eq!(bytes[4..8], [0xDA, 0xA3, 0x20, 0xA7]);
    assert_eq!(bytes[8..12], body_crc(b"hello").to_be_bytes());
    assert_eq!(bytes[20..28], 9_i64.to_be_bytes());
    assert_eq!(bytes[28..36], 1000_i64.to_be_bytes());
    assert_eq!(bytes[56..64], 1_700_000_000_001_i64.to_be_bytes());
    assert_eq!(bytes[84..93], *b"\0\0\0\x05hello");
    let view = RecordView::parse(&bytes, BodyCrc::Trust).unwrap();
    assert_eq!(view.property("TAGS"), Some("a"));
    assert_eq!(view.message_id(), "7F00000100002A9F00000000000003E8");
}

fn check_error(bytes: &[u8], expected: RecordError) {
    assert_eq!(RecordView::parse(bytes, BodyCrc::Check), Err(expected));
}

#[test]
fn what_is_no_record_says_why() {
    let good = encoded(&sample());
    let with = |at: usize, value: &[u8]| {
        let mut bad = good.to_vec();
        bad[at..at + value.len()].copy_from_slice(value);
        bad
    };
    let mismatch = |stated, needed| RecordError::LengthMismatch { stated, needed };
    check_error(&[], RecordError::NeedMore { needed: 8, available: 0 });
    check_error(&good[..119], RecordError::NeedMore { needed: 120, available: 119 });
    check_error(&blank(123), RecordError::Blank { remaining: 123 });
    check_error(&[0; 100], RecordError::BadMagic { magic: 0 });
    check_error(&with(0, &[0xFF; 4]), mismatch(-1, 91));
    check_error(&with(0, &[0, 0, 0, 119]), mismatch(119, 120));
    check_error(&with(84, &[0x7F, 0xFF, 0xFF, 0xFF]), mismatch(120, 88 + i64::from(i32::MAX)));
    check_error(&with(84, &[0xFF; 4]), mismatch(120, 87));
    check_error(&with(93, &[0xFF]), mismatch(120, 93));
    check_error(&with(100, &[0, 17]), mismatch(120, 119));
    check_error(&with(52, &[0, 1, 0, 0]), RecordError::Malformed { field: "born host" });
    check_error(&with(94, &[0xFF]), RecordError::Malformed { field: "topic" });
    let (stored, computed) = (body_crc(b"hello"), body_crc(b"hellO"));
    check_error(&with(92, b"O"), RecordError::BadCrc { stored, computed });
    assert!(RecordView::parse(&with(92, b"O"), BodyCrc::Trust).is_ok());
}

#[test]
fn what_does_not_fit_is_not_encoded() {
    let mut out = BytesMut::new();
    let long = vec![b'x'; 32768];
    let properties = NewRecord { properties: &long, ..sample() };
    assert_eq!(encode(&properties, &mut out), Err(EncodeError::PropertiesTooLong { length: 32768 }));
    let long = "t".repeat(32768);
    let topic = NewRecord { topic: &long, ..sample() };
    assert_eq!(encode(&topic, &mut out), Err(EncodeError::TopicTooLong { length: 32768 }));
    assert!(out.is_empty());
}

#[test]
fn records_follow_one_another() {
    let mut bytes = encoded(&sample());
    bytes.unsplit(encoded(&NewRecord { body: b"second", ..sample() }));
    let bodies: Vec<_> = records(&bytes, BodyCrc::Check).map(|record| record.map(|view| view.body)).collect();
    assert_eq!(bodies, [Ok(&b"hello"[..]), Ok(b"second")]);
    let count = records(&bytes[..bytes.len() - 1], BodyCrc::Check).filter(Result::is_err).count();
    assert_eq!(count, 1);
}

proptest! {
    #[test]
    fn every_record_comes_back(
        (topic, queue_id, flag, sys_flag) in ("[a-z%_]{0,200}", any::<i32>(), any::<i32>(), any::<i32>()),
        (born_host, store_host, times) in (any::<SocketAddr>(), any::<SocketAddr>(), any::<i32>()),
        (body, properties) in (any::<Vec<u8>>(), any::<Vec<u8>>()),
    ) {
        // An IPv6 scope or flow is not part of a record.
        let plain = |host: SocketAddr| SocketAddr::new(host.ip(), host.port());
        check(&NewRecord {
            topic: &topic,
            queue_id: QueueId(queue_id),
            flag,
            sys_flag: sys_flag & !(BORN_HOST_V6 | STORE_HOST_V6),
            born_host: plain(born_host),
            store_host: plain(store_host),
            reconsume_times: times,
            body: &body,
            properties: &properties,
            ..sample()
        });
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in any::<Vec<u8>>(), magic in prop_oneof![Just(MAGIC_V1), Just(MAGIC_V2), Just(BLANK_MAGIC), any::<i32>()]) {
        let mut bytes = bytes;
        if bytes.len() >= 8 {
            let size = bytes.len() as i32;
            bytes[..4].copy_from_slice(&size.to_be_bytes());
            bytes[4..8].copy_from_slice(&magic.to_be_bytes());
        }
        if let Ok(view) = RecordView::parse(&bytes, BodyCrc::Trust) {
            prop_assert_eq!(view.bytes, &bytes[..]);
        }
    }
}
