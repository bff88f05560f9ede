use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use serde::de::DeserializeOwned;

use super::*;
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::body::register::{RegisterBrokerBody, RegisterError, inflate};
use crate::protocol::body::static_topic::TopicQueueMappingInfo;
use crate::protocol::body::topic::TopicConfig;
use crate::protocol::codes::{language, version};
use crate::protocol::ids::Millis;
use crate::protocol::json::{from_java, to_java};

/// Reads `java`, compares the value and writes it again: `written` is what comes out.
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(java: &str, value: &T, written: &str) {
    assert_eq!(&from_java::<T>(java.as_bytes()).unwrap(), value);
    assert_eq!(String::from_utf8(to_java(value)).unwrap(), written);
    assert_eq!(&from_java::<T>(written.as_bytes()).unwrap(), value);
}

fn queue(queue_id: i32) -> MessageQueue {
    MessageQueue { broker_name: "b".into(), queue_id, topic: "t".into() }
}

#[test]
fn a_route_is_compact_and_quotes_broker_ids() {
    let route = route::TopicRouteData {
        broker_datas: vec![route::BrokerData {
            broker_addrs: BTreeMap::from([(0, "127.0.0.1:10911".into()), (1, "127.0.0.1:10921".into())]),
            broker_name: "b".into(),
            cluster: "c".into(),
            ..Default::default()
        }],
        queue_datas: vec![route::QueueData {
            broker_name: "b".into(),
            perm: 6,
            read_queue_nums: 8,
            topic_sys_flag: 0,
            write_queue_nums: 8,
        }],
        ..Default::default()
    };
    check(
        r#"{"brokerDatas":[{"brokerAddrs":{0:"127.0.0.1:10911",1:"127.0.0.1:10921"},"brokerName":"b","cluster":"c","enableActingMaster":false}],"filterServerTable":{},"orderTopicConf":null,"queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":8,"topicSynFlag":0,"writeQueueNums":8}]}"#,
        &route,
        r#"{"brokerDatas":[{"brokerAddrs":{"0":"127.0.0.1:10911","1":"127.0.0.1:10921"},"brokerName":"b","cluster":"c","enableActingMaster":false}],"filterServerTable":{},"queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":8}]}"#,
    );
}

#[test]
fn queues_as_keys() {
    let stats = progress::ConsumeStats {
        consume_tps: 1.5,
        offset_table: BTreeMap::from([(
            queue(0),
            progress::OffsetWrapper { broker_offset: 10, consumer_offset: 4, last_timestamp: 9, pull_offset: 5 },
        )]),
    };
    let java = r#"{"consumeTps":1.5,"offsetTable":{{"brokerName":"b","queueId":0,"topic":"t"}:{"brokerOffset":10,"consumerOffset":4,"lastTimestamp":9,"pullOffset":5}}}"#;
    check(java, &stats, java);
    let reset = progress::ResetOffsetBody { offset_table: BTreeMap::from([(queue(0), 7), (queue(1), -1)]) };
    let java = r#"{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"t"}:7,{"brokerName":"b","queueId":1,"topic":"t"}:-1}}"#;
    check(java, &reset, java);
    let list = r#"{"offsetTable":[{"brokerName":"b","offset":7,"queueId":0,"topic":"t"},{"brokerName":"b","offset":-1,"queueId":1,"topic":"t"}]}"#;
    check(list, &progress::ResetOffsetBodyForC::from(&reset), list);
    let status = progress::ConsumerStatusBody {
        consumer_table: BTreeMap::from([("id".into(), progress::QueueOffsets(BTreeMap::from([(queue(2), 3)])))]),
        ..Default::default()
    };
    let java = r#"{"consumerTable":{"id":{{"brokerName":"b","queueId":2,"topic":"t"}:3}},"messageQueueTable":{}}"#;
    check(java, &status, java);
}

#[test]
fn heartbeats_of_java_go_and_cpp() {
    let heartbeat = heartbeat::HeartbeatData {
        client_id: "c".into(),
        consumer_data_set: vec![heartbeat::ConsumerData {
            consume_from_where: heartbeat::ConsumeFromWhere::ConsumeFromFirstOffset,
            consume_type: heartbeat::ConsumeType::ConsumePassively,
            group_name: "g".into(),
            message_model: heartbeat::MessageModel::Clustering,
            subscription_data_set: vec![heartbeat::SubscriptionData {
                code_set: BTreeSet::from([97, -98]),
                sub_string: "a || b".into(),
                sub_version: 5,
                tags_set: BTreeSet::from(["a".into(), "b".into()]),
                topic: "t".into(),
                ..Default::default()
            }],
            unit_mode: false,
        }],
        producer_data_set: vec![heartbeat::ProducerData { group_name: "p".into() }],
        ..Default::default()
    };
    let written = r#"{"clientID":"c","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"g","messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[-98,97],"expressionType":"TAG","subString":"a || b","subVersion":5,"tagsSet":["a","b"],"topic":"t"}],"unitMode":false}],"heartbeatFingerprint":0,"producerDataSet":[{"groupName":"p"}],"withoutSub":false}"#;
    check(written, &heartbeat, written);
    check(
        r#"{"producerDataSet":[{"groupName":"p"}],"clientID":"c","consumerDataSet":[{"groupName":"g","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","subscriptionDataSet":[{"classFilterMode":false,"topic":"t","subString":"a || b","tagsSet":["b","a"],"codeSet":[97,-98],"subVersion":5,"expressionType":"TAG","filterClassSource":null}],"unitMode":false}]}"#,
        &heartbeat,
        written,
    );
    check(
        r#"{"producerDataSet":[{"groupName":"p"}],"clientID":"c","consumerDataSet":[{"groupName":"g","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","subscriptionDataSet":[{"classFilterMode":false,"topic":"t","subString":"a || b","tagsSet":["b","a"],"codeSet":["97","-98"],"subVersion":5,"expressionType":"TAG"}],"unitMode":false}]}"#,
        &heartbeat,
        written,
    );
    check(
        r#"{"producerDataSet":[{"groupName":"p"}],"clientID":"c","consumerDataSet":[{"groupName":"g","consumeType":1,"messageModel":1,"consumeFromWhere":4,"subscriptionDataSet":[{"classFilterMode":false,"topic":"t","subString":"a || b","tagsSet":["b","a"],"codeSet":[97,-98],"subVersion":"5","expressionType":"TAG"}],"unitMode":"false"}]}"#,
        &heartbeat,
        written,
    );
    check(
        r#"{"clientID":"c","producerDataSet":null,"consumerDataSet":null}"#,
        &heartbeat::HeartbeatData { client_id: "c".into(), ..Default::default() },
        r#"{"clientID":"c","consumerDataSet":[],"heartbeatFingerprint":0,"producerDataSet":[],"withoutSub":false}"#,
    );
}

#[test]
fn a_value_that_cannot_be_converted_is_an_error_with_its_place() {
    let check = |body: &str, expected: &str| {
        let error = from_java::<heartbeat::HeartbeatData>(body.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    let codes = |codes: &str| format!(r#"{{"consumerDataSet":[{{"subscriptionDataSet":[{{"codeSet":{codes}}}]}}]}}"#);
    check(&codes(r#"["x"]"#), r#"JSON body: invalid type: string "x", expected i32 at line 1 column 59"#);
    check(
        &codes(r#"["4294967296"]"#),
        r#"JSON body: invalid type: string "4294967296", expected i32 at line 1 column 68"#,
    );
    check(r#"{"consumerDataSet":[{"messageModel":3}]}"#, "JSON body: expected value at line 1 column 37");
    let large = codes(&format!("[{}\"1\"]", "1,".repeat(1 << 19)));
    assert!(from_java::<heartbeat::HeartbeatData>(large.as_bytes()).is_err());
}

#[test]
fn absent_members_take_java_s_defaults() {
    let config =
        from_java::<group::SubscriptionGroupConfig>(br#"{"groupName":"g","subscriptionDataSet":null}"#).unwrap();
    let expected = group::SubscriptionGroupConfig { group_name: "g".into(), ..Default::default() };
    assert_eq!((config.retry_max_times, config.consume_timeout_minute), (16, 15));
    assert_eq!(config, expected);
    let topic = from_java::<TopicConfig>(br#"{"topicName":"t","perm":4,"order":true}"#).unwrap();
    assert_eq!((topic.read_queue_nums, topic.perm, topic.order), (16, 4, true));
}

#[test]
fn connections_name_their_language() {
    let connections = connection::ProducerConnection {
        connection_set: vec![connection::Connection {
            client_addr: "127.0.0.1:1".into(),
            client_id: "c".into(),
            language: language::GO,
            version: 317,
        }],
    };
    let java = r#"{"connectionSet":[{"clientAddr":"127.0.0.1:1","clientId":"c","language":"GO","version":317}]}"#;
    check(java, &connections, java);
}

#[test]
fn locks_and_lists() {
    let lock = lock::LockResponse { locked: BTreeSet::from([queue(0)]) };
    let java = r#"{"lockOKMQSet":[{"brokerName":"b","queueId":0,"topic":"t"}]}"#;
    check(java, &lock, java);
    let topics = topic::TopicList { broker_addr: None, topic_list: BTreeSet::from(["a".into(), "b".into()]) };
    check(r#"{"topicList":["b","a"]}"#, &topics, r#"{"topicList":["a","b"]}"#);
    let offsets = progress::ConsumerOffsetTable {
        offset_table: BTreeMap::from([("t@g".into(), BTreeMap::from([(0, 5), (10, 6)]))]),
        ..Default::default()
    };
    check(
        r#"{"offsetTable":{"t@g":{0:5,10:6}}}"#,
        &offsets,
        r#"{"dataVersion":{"counter":0,"stateVersion":0,"timestamp":0},"offsetTable":{"t@g":{"0":5,"10":6}}}"#,
    );
}

#[test]
fn a_topic_with_a_mapping_reads_number_keys_behind_flattened_members() {
    let java =
        r#"{"attributes":{},"mappingDetail":{"currIdMap":{0:1},"topic":"t"},"order":false,"perm":6,"topicName":"t"}"#;
    let topic = from_java::<topic::TopicConfigAndDetail>(java.as_bytes()).unwrap();
    assert_eq!(topic.config.topic_name, "t");
    assert_eq!(topic.mapping_detail.unwrap().curr_id_map, BTreeMap::from([(0, 1)]));
}

#[test]
fn versions_are_ordered_by_state_counter_and_time() {
    let version = |state_version, counter, timestamp| DataVersion { counter, state_version, timestamp };
    let mut versions = vec![version(1, 0, 0), version(0, 2, 1), version(0, 1, 9), version(0, 1, 8)];
    versions.sort();
    assert_eq!(versions, [version(0, 1, 8), version(0, 1, 9), version(0, 2, 1), version(1, 0, 0)]);
    let mut next = DataVersion::new(Millis(5));
    next.next(Millis(6), 0);
    assert_eq!(next, version(0, 1, 6));
}

fn registration() -> RegisterBrokerBody {
    let mut body = RegisterBrokerBody::default();
    let wrapper = &mut body.topic_config_serialize_wrapper;
    wrapper.data_version = DataVersion { counter: 3, state_version: 0, timestamp: 7 };
    for name in ["a", "b"] {
        let attributes = BTreeMap::from([("message.type".into(), "NORMAL".into())]);
        let topic = TopicConfig { topic_name: name.into(), attributes, perm: 7, ..Default::default() };
        wrapper.topic_config_table.insert(name.into(), topic);
    }
    let mapping =
        TopicQueueMappingInfo { topic: Some("s".into()), curr_id_map: BTreeMap::from([(0, 4)]), ..Default::default() };
    wrapper.topic_queue_mapping_info_map.insert("s".into(), mapping);
    body
}

#[test]
fn registrations_plain_and_compressed() {
    let body = registration();
    let compressed = body.encode_compressed().unwrap();
    let decode = |bytes: &[u8], compressed, version| RegisterBrokerBody::decode(bytes, compressed, version).unwrap();
    assert_eq!(decode(&body.encode(), false, version::OURS), body);
    assert_eq!(decode(&compressed, true, version::OURS), body);
    let mut before_5 = body.clone();
    before_5.topic_config_serialize_wrapper.topic_queue_mapping_info_map.clear();
    assert_eq!(decode(&compressed, true, version::V4_9_4), before_5);
    assert_eq!(decode(b"", false, version::OURS), RegisterBrokerBody::default());
}

#[test]
fn hostile_registrations_are_errors() {
    use std::io::Write as _;

    let compress = |bytes: &[u8]| {
        let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    };
    let decode = |bytes: &[u8]| RegisterBrokerBody::decode(bytes, true, version::OURS);
    assert!(matches!(decode(b"no zlib"), Err(RegisterError::Inflate(_))));
    assert!(matches!(decode(&compress(&[0x7F; 8])), Err(RegisterError::Length { part: "data version", left: 4, .. })));
    let topics = [&2_u32.to_be_bytes()[..], b"{}", &[0x7F; 4], &3_u32.to_be_bytes(), b"x y"].concat();
    assert!(matches!(decode(&compress(&topics)), Err(RegisterError::Topic(line)) if line == "x y"));
    let bomb = compress(&[0; 100_001]);
    assert!(bomb.len() < 1000);
    assert!(matches!(inflate(&bomb, 100_000), Err(RegisterError::TooLong { limit: 100_000 })));
    assert_eq!(inflate(&bomb, 100_001).unwrap().len(), 100_001);
}
