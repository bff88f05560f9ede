//! A broker's own figures as series, under the names a Java 5.5.0 broker exports.

use crate::broker::Snapshot;
use crate::broker::snapshot::{CREATION_MILLIS_BOUNDS, Creation, GroupLag, SIZE_BOUNDS};
use crate::observe::catalogue::{self as series, Family};
use crate::observe::exposition::{Buckets, Exposition, Owner, count};
use crate::protocol::body::heartbeat::ConsumeType;
use crate::protocol::codes::{language, version};

/// `protocol_type`: what clients of these ports speak.
pub(super) const PROTOCOL: &str = "remoting";

/// `storage_type` and `storage_medium`.
const LOCAL_DISK: [&str; 2] = ["local", "disk"];

/// Adds everything one broker says of itself.
pub(super) fn add(page: &mut Exposition, owner: &Owner, broker: &Snapshot) {
    let values = [
        (&series::BROKER_PERMISSION, u64::try_from(broker.permission).unwrap_or(0)),
        (&series::TOPIC_NUMBER, broker.topics as u64),
        (&series::CONSUMER_GROUP_NUMBER, broker.groups as u64),
        (&series::HELD_PULLS, broker.held_pulls as u64),
        (&series::FLUSH_WAITERS, broker.flush_waiters as u64),
        (&series::PUTS_FAILED, broker.puts_failed),
        (&series::PULLS_MISSED, broker.pulls_missed),
    ];
    for (family, value) in values {
        page.add(family, Some(owner), &[], count(value));
    }
    add_replication(page, owner, broker);
    add_store(page, owner, broker);
    add_messages(page, owner, broker);
    add_creations(page, owner, broker);
    add_clients(page, owner, broker);
    for lag in &broker.lags {
        add_lag(page, owner, lag);
    }
}

fn add_replication(page: &mut Exposition, owner: &Owner, broker: &Snapshot) {
    if let Some(following) = broker.following {
        page.add(&series::FOLLOWING, Some(owner), &[], count(u64::from(following)));
        page.add(&series::ACTING, Some(owner), &[], count(u64::from(broker.acting)));
    } else {
        page.add(&series::REPLICAS_IN_SYNC, Some(owner), &[], count(broker.replicas_in_sync as u64));
    }
    for (replica, lag) in &broker.replica_lags {
        page.add(&series::REPLICA_LAG_BYTES, Some(owner), &[replica], signed(*lag));
    }
}

fn add_store(page: &mut Exposition, owner: &Owner, broker: &Snapshot) {
    let store = &broker.store;
    let values = [
        (&series::STORAGE_SIZE, store.log_bytes),
        (&series::STORAGE_FLUSH_BEHIND, store.flush_behind_bytes),
        (&series::STORAGE_DISPATCH_BEHIND, store.dispatch_behind_bytes),
    ];
    for (family, value) in values {
        page.add(family, Some(owner), &LOCAL_DISK, signed(value));
    }
    if let Some(earliest) = store.earliest_store_time {
        let age = broker.taken.since(earliest).max(0);
        page.add(&series::STORAGE_MESSAGE_RESERVE_TIME, Some(owner), &LOCAL_DISK, signed(age));
    }
    page.add(&series::DISK_USED, Some(owner), &[], store.disk_used_ratio);
}

fn add_messages(page: &mut Exposition, owner: &Owner, broker: &Snapshot) {
    for topic in &broker.incoming {
        let labels = [&*topic.topic, topic.kind.as_str(), word(topic.is_system)];
        page.add(&series::MESSAGES_IN, Some(owner), &labels, count(topic.messages));
        page.add(&series::THROUGHPUT_IN, Some(owner), &labels, count(topic.bytes));
        let sizes = &topic.sizes;
        let buckets = Buckets { bounds: &SIZE_BOUNDS, counts: &sizes.buckets, sum: count(sizes.sum) };
        page.histogram(&series::MESSAGE_SIZE, Some(owner), &labels, buckets);
    }
    for group in &broker.outgoing {
        let labels = [&*group.topic, &*group.group, word(group.is_retry), word(group.is_system)];
        page.add(&series::MESSAGES_OUT, Some(owner), &labels, count(group.messages));
        page.add(&series::THROUGHPUT_OUT, Some(owner), &labels, count(group.bytes));
        let by_topic = [&*group.topic, &*group.group, word(group.is_system)];
        if group.sent_back > 0 {
            page.add(&series::SENT_BACK_MESSAGES, Some(owner), &by_topic, count(group.sent_back));
        }
        if group.dead > 0 {
            let by_group = [&*group.group, &*group.topic, word(group.is_system)];
            page.add(&series::SEND_TO_DLQ_MESSAGES, Some(owner), &by_group, count(group.dead));
        }
    }
}

fn add_creations(page: &mut Exposition, owner: &Owner, broker: &Snapshot) {
    for (creation, succeeded, times) in &broker.creations {
        let status = if *succeeded { "success" } else { "failure" };
        let sum = count(times.sum_millis);
        let buckets = Buckets { bounds: &CREATION_MILLIS_BOUNDS, counts: &times.buckets, sum };
        match creation {
            Creation::Topic { is_system } => {
                page.histogram(&series::TOPIC_CREATE_TIME, Some(owner), &[status, word(*is_system)], buckets);
            }
            Creation::Group => {
                page.histogram(&series::CONSUMER_GROUP_CREATE_TIME, Some(owner), &[status], buckets);
            }
        }
    }
}

fn add_clients(page: &mut Exposition, owner: &Owner, broker: &Snapshot) {
    for producers in &broker.producers {
        let (language, version) = client(producers.language, producers.version);
        let labels = [&*language, &*version, PROTOCOL];
        page.add(&series::PRODUCER_CONNECTIONS, Some(owner), &labels, count(producers.connections as u64));
    }
    for consumers in &broker.consumers {
        let (language, version) = client(consumers.language, consumers.version);
        let mode = match consumers.consume_type {
            ConsumeType::ConsumeActively => "pull",
            ConsumeType::ConsumePassively => "push",
            ConsumeType::ConsumePop => "pop",
        };
        let labels = [&*consumers.group, &*language, &*version, mode, word(consumers.is_system), PROTOCOL];
        page.add(&series::CONSUMER_CONNECTIONS, Some(owner), &labels, count(consumers.connections as u64));
    }
}

fn add_lag(page: &mut Exposition, owner: &Owner, lag: &GroupLag) {
    // Retry topics are not reported apart from the group's own.
    let labels = [&*lag.group, &*lag.topic, "false", word(lag.is_system)];
    let mut add = |family: &'static Family, value| page.add(family, Some(owner), &labels, signed(value));
    add(&series::CONSUMER_LAG_MESSAGES, lag.lag_messages);
    add(&series::CONSUMER_INFLIGHT_MESSAGES, lag.inflight_messages);
    add(&series::CONSUMER_READY_MESSAGES, lag.ready_messages);
    if let Some(millis) = lag.lag_millis {
        add(&series::CONSUMER_LAG_LATENCY, millis);
    }
    if let Some(millis) = lag.queueing_millis {
        add(&series::CONSUMER_QUEUEING_LATENCY, millis);
    }
}

/// Labels `language` and `version`, in lower case as Java writes them.
fn client(language: u8, version: i32) -> (String, String) {
    (language::name(language).to_lowercase(), version::name(version).to_lowercase())
}

fn word(holds: bool) -> &'static str {
    if holds { "true" } else { "false" }
}

#[expect(clippy::cast_precision_loss, reason = "samples are floating point")]
fn signed(value: i64) -> f64 {
    value as f64
}
