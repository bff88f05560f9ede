//! Which typed body belongs to which code, and whether it holds all that Java sent.

use std::fmt::Debug;

use bytes::BytesMut;
use mqcontainer::protocol::body::{connection, group, heartbeat, lock, progress, register, route, stats, topic};
use mqcontainer::protocol::codes::request as code;
use mqcontainer::protocol::command::Command;
use mqcontainer::protocol::record::{self, BodyCrc};
use mqcontainer::protocol::{batch, json, properties_text};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::golden::Golden;

pub(crate) fn check(golden: &Golden, command: &Command) {
    let body = command.body.to_bytes();
    let name = &golden.name;
    if body.is_empty() {
        return;
    }
    match golden.response {
        None => request(name, golden.request, &body),
        Some(_) => response(name, golden.request, &body),
    }
}

fn request(name: &str, request: i32, body: &[u8]) {
    match request {
        // The bare body of a message.
        code::SEND_MESSAGE_V2 => {}
        code::SEND_BATCH_MESSAGE => messages(name, body),
        code::CONSUME_MESSAGE_DIRECTLY => records(name, body),
        code::HEART_BEAT => members::<heartbeat::HeartbeatData>(name, body),
        code::LOCK_BATCH_MQ | code::UNLOCK_BATCH_MQ => members::<lock::LockRequest>(name, body),
        code::REGISTER_BROKER => members::<register::RegisterBrokerBody>(name, body),
        code::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP => members::<group::SubscriptionGroupConfig>(name, body),
        code::UPDATE_BROKER_CONFIG | code::UPDATE_NAMESRV_CONFIG => properties(name, body),
        other => panic!("{name}: no body type for the request {other}"),
    }
}

fn response(name: &str, request: i32, body: &[u8]) {
    match request {
        code::PULL_MESSAGE | code::LITE_PULL_MESSAGE | code::QUERY_MESSAGE | code::VIEW_MESSAGE_BY_ID => {
            records(name, body);
        }
        code::GET_ROUTEINFO_BY_TOPIC => members::<route::TopicRouteData>(name, body),
        code::GET_BROKER_CLUSTER_INFO => members::<route::ClusterInfo>(name, body),
        code::GET_ALL_TOPIC_LIST_FROM_NAMESERVER => members::<topic::TopicList>(name, body),
        code::GET_TOPIC_STATS_INFO => members::<topic::TopicStatsTable>(name, body),
        code::GET_TOPIC_CONFIG => members::<topic::TopicConfigAndDetail>(name, body),
        code::QUERY_TOPIC_CONSUME_BY_WHO => members::<group::GroupList>(name, body),
        code::GET_CONSUMER_LIST_BY_GROUP => members::<heartbeat::ConsumerIdList>(name, body),
        code::LOCK_BATCH_MQ => members::<lock::LockResponse>(name, body),
        code::GET_CONSUMER_CONNECTION_LIST => members::<connection::ConsumerConnection>(name, body),
        code::GET_PRODUCER_CONNECTION_LIST => members::<connection::ProducerConnection>(name, body),
        code::GET_CONSUME_STATS => members::<progress::ConsumeStats>(name, body),
        code::INVOKE_BROKER_TO_RESET_OFFSET => members::<progress::ResetOffsetBody>(name, body),
        code::GET_BROKER_CONSUME_STATS => members::<progress::ConsumeStatsList>(name, body),
        code::VIEW_BROKER_STATS_DATA => members::<stats::BrokerStatsData>(name, body),
        code::GET_BROKER_RUNTIME_INFO | code::REGISTER_BROKER => members::<stats::KvTable>(name, body),
        code::GET_BROKER_CONFIG | code::GET_NAMESRV_CONFIG => properties(name, body),
        // Relayed from the client to the tool as they are; only that they can be read is checked.
        code::GET_CONSUMER_RUNNING_INFO | code::CONSUME_MESSAGE_DIRECTLY => members::<Value>(name, body),
        other => panic!("{name}: no body type for the response to {other}"),
    }
}

/// JSON: what the type writes has every member Java sent, with the same value; it may have more (new ones with their defaults).
fn members<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, body: &[u8]) {
    let value: T = json::from_java(body).unwrap_or_else(|error| panic!("{name}: {error}"));
    let written = json::to_java(&value);
    assert_eq!(json::from_java::<T>(&written).unwrap(), value, "{name}");
    let (java, ours): (Value, Value) = (json::from_java(body).unwrap(), json::from_java(&written).unwrap());
    assert!(holds(&ours, &java), "{name}:\nJava {java}\nours {ours}");
}

fn holds(ours: &Value, java: &Value) -> bool {
    match (ours, java) {
        (Value::Object(ours), Value::Object(java)) => {
            java.iter().all(|(key, value)| ours.get(key).is_some_and(|ours| holds(ours, value)))
        }
        // Java's sets come in any order.
        (Value::Array(ours), Value::Array(java)) => {
            ours.len() == java.len() && java.iter().all(|value| ours.iter().any(|ours| holds(ours, value)))
        }
        (ours, java) => ours == java,
    }
}

/// Records: every field is read, the body's CRC fits, and encoding gives the same bytes.
fn records(name: &str, body: &[u8]) {
    let mut again = BytesMut::new();
    for record in record::records(body, BodyCrc::Check) {
        let view = record.unwrap_or_else(|error| panic!("{name}: {error}"));
        let start = again.len();
        record::encode(&view.to_new(), &mut again).unwrap();
        record::patch(&mut again[start..], view.queue_offset, view.physical_offset, view.store_timestamp);
        assert!(view.property("UNIQ_KEY").is_some(), "{name}: clients set UNIQ_KEY");
    }
    assert_eq!(again, body, "{name}");
}

fn messages(name: &str, body: &[u8]) {
    let mut again = BytesMut::new();
    for message in batch::messages(body) {
        let message = message.unwrap_or_else(|error| panic!("{name}: {error}"));
        batch::encode(&message, &mut again).unwrap();
    }
    assert_eq!(again, body, "{name}");
}

fn properties(name: &str, body: &[u8]) {
    let text = std::str::from_utf8(body).unwrap();
    let pairs = properties_text::parse(text).unwrap();
    assert!(!pairs.is_empty(), "{name}");
    let again = properties_text::write(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    assert_eq!(properties_text::parse(&again), Ok(pairs), "{name}");
}
