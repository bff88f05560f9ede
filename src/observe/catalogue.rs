//! Every series this program exports, once. docs/metrics.md is made of it, and a sample of another series cannot be written.
//!
//! Names, kinds, units and labels of the first part are those a Java 5.5.0 broker really exports, after its
//! Prometheus exporter has put units and `_total` behind them; rocketmq.apache.org lists them without. The second part,
//! `mqcontainer_...`, is our own.

use std::fmt::Write;

/// What a series measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Grows until its broker starts again.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by upper bound, with sum and count.
    Histogram,
}

impl Kind {
    /// The word of the Prometheus text format.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// Whose series it is, which decides its base labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One for each broker: [`BASE_LABELS`].
    Broker,
    /// One for each owner of a port, brokers and others: [`BASE_LABELS`], empty where they have no meaning.
    Port,
    /// One for the process: no base labels.
    Process,
}

/// Java's base labels and our two, so that master and slave of one name do not collide.
pub const BASE_LABELS: [&str; 5] = ["cluster", "node_type", "node_id", "broker_id", "broker_role"];

/// One family of series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// The name a scrape shows; histograms add `_bucket`, `_sum` and `_count`.
    pub name: &'static str,
    /// Kind.
    pub kind: Kind,
    /// Whose it is.
    pub scope: Scope,
    /// Labels besides those of the scope.
    pub labels: &'static [&'static str],
    /// What it means, with its unit.
    pub help: &'static str,
}

macro_rules! families {
    ($($constant:ident = $name:literal $kind:ident $scope:ident [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub static $constant: Family = Family {
                name: $name,
                kind: Kind::$kind,
                scope: Scope::$scope,
                labels: &[$($label),*],
                help: $help,
            };
        )*
        /// The whole catalogue, in the order of pages.
        pub static ALL: &[&Family] = &[$(&$constant),*];
    };
}

families! {
    PROCESSOR_WATERMARK = "rocketmq_processor_watermark" Gauge Broker ["processor"]
        "Requests read and not answered; processor is send, pull (without held long polls) or admin (everything else).";
    BROKER_PERMISSION = "rocketmq_broker_permission" Gauge Broker []
        "brokerPermission: 2 write, 4 read, 6 both.";
    TOPIC_NUMBER = "rocketmq_topic_number" Gauge Broker []
        "Topics, those of the system included.";
    CONSUMER_GROUP_NUMBER = "rocketmq_consumer_group_number" Gauge Broker []
        "Consumer groups with settings.";
    MESSAGES_IN = "rocketmq_messages_in_total" Counter Broker ["topic", "message_type", "is_system"]
        "Messages stored. As in Java a delayed message counts for the schedule topic and, when it is delivered, for its own; what is sent to retry and dead letter topics is left out.";
    THROUGHPUT_IN = "rocketmq_throughput_in_total" Counter Broker ["topic", "message_type", "is_system"]
        "Bytes of the messages stored.";
    MESSAGES_OUT = "rocketmq_messages_out_total" Counter Broker ["topic", "consumer_group", "is_retry", "is_system"]
        "Messages handed out.";
    THROUGHPUT_OUT = "rocketmq_throughput_out_total" Counter Broker ["topic", "consumer_group", "is_retry", "is_system"]
        "Bytes of the messages handed out.";
    MESSAGE_SIZE = "rocketmq_message_size" Histogram Broker ["topic", "message_type", "is_system"]
        "Mean size in bytes of the messages of one put.";
    TOPIC_CREATE_TIME = "rocketmq_topic_create_execution_time_milliseconds" Histogram Broker ["invocation_status", "is_system"]
        "How long administrators waited for a topic or a list of them to be made or changed and saved.";
    CONSUMER_GROUP_CREATE_TIME = "rocketmq_consumer_group_create_execution_time_milliseconds" Histogram Broker ["invocation_status"]
        "How long administrators waited for a consumer group or a list of them to be made or changed and saved.";
    PRODUCER_CONNECTIONS = "rocketmq_producer_connections" Gauge Broker ["language", "version", "protocol_type"]
        "Connections of producers.";
    CONSUMER_CONNECTIONS = "rocketmq_consumer_connections" Gauge Broker ["consumer_group", "language", "version", "consume_mode", "is_system", "protocol_type"]
        "Connections of consumers.";
    CONSUMER_LAG_MESSAGES = "rocketmq_consumer_lag_messages" Gauge Broker ["consumer_group", "topic", "is_retry", "is_system"]
        "Messages stored and not consumed by the group.";
    CONSUMER_INFLIGHT_MESSAGES = "rocketmq_consumer_inflight_messages" Gauge Broker ["consumer_group", "topic", "is_retry", "is_system"]
        "Messages handed out and not consumed.";
    CONSUMER_READY_MESSAGES = "rocketmq_consumer_ready_messages" Gauge Broker ["consumer_group", "topic", "is_retry", "is_system"]
        "Messages stored and not handed out.";
    CONSUMER_LAG_LATENCY = "rocketmq_consumer_lag_latency_milliseconds" Gauge Broker ["consumer_group", "topic", "is_retry", "is_system"]
        "Age of the oldest message not consumed.";
    CONSUMER_QUEUEING_LATENCY = "rocketmq_consumer_queueing_latency_milliseconds" Gauge Broker ["consumer_group", "topic", "is_retry", "is_system"]
        "Age of the oldest message not handed out.";
    SEND_TO_DLQ_MESSAGES = "rocketmq_send_to_dlq_messages_total" Counter Broker ["consumer_group", "topic", "is_system"]
        "Messages that went to the dead letter queue.";
    RPC_LATENCY = "rocketmq_rpc_latency_milliseconds" Histogram Broker ["protocol_type", "request_code", "response_code", "is_long_polling", "result"]
        "From the arrival of a request to its answer, in milliseconds.";
    STORAGE_SIZE = "rocketmq_storage_size_bytes" Gauge Broker ["storage_type", "storage_medium"]
        "Bytes of this broker's commit log (Java: used bytes of the whole partition).";
    STORAGE_FLUSH_BEHIND = "rocketmq_storage_flush_behind_bytes" Gauge Broker ["storage_type", "storage_medium"]
        "Bytes written and not synced yet.";
    STORAGE_DISPATCH_BEHIND = "rocketmq_storage_dispatch_behind_bytes" Gauge Broker ["storage_type", "storage_medium"]
        "Bytes written and not in the consume queues yet.";
    STORAGE_MESSAGE_RESERVE_TIME = "rocketmq_storage_message_reserve_time_milliseconds" Gauge Broker ["storage_type", "storage_medium"]
        "Age of the oldest message.";

    BROKER_UP = "mqcontainer_broker_up" Gauge Broker []
        "1 while the broker serves and answers the scrape, else 0.";
    BROKER_STATE = "mqcontainer_broker_state" Gauge Broker ["state"]
        "1 for the state the broker is in: starting, joining, serving, failed, stopping, stopped.";
    BROKER_RESTARTS = "mqcontainer_broker_restarts_total" Counter Broker []
        "How often the broker was started again after a failure.";
    BROKER_START_SECONDS = "mqcontainer_broker_start_seconds" Gauge Broker []
        "How long its last start took, recovery of the store included.";
    MAILBOX_DEPTH = "mqcontainer_mailbox_depth" Gauge Broker []
        "Requests that wait for the broker's owner task.";
    MAILBOX_REFUSED = "mqcontainer_mailbox_refused_total" Counter Broker []
        "Requests answered with SYSTEM_BUSY because the mailbox was full.";
    LANE_REQUESTS = "mqcontainer_lane_requests" Gauge Broker ["lane"]
        "Requests of a lane (send, fetch, control) read and not answered, held long polls included.";
    LANE_BYTES = "mqcontainer_lane_bytes" Gauge Broker ["lane"]
        "Bytes of those requests.";
    LANE_REFUSED = "mqcontainer_lane_refused_total" Counter Broker ["lane"]
        "Requests answered with SYSTEM_BUSY because the lane was full.";
    STAGE_SECONDS = "mqcontainer_stage_seconds" Histogram Broker ["stage"]
        "Seconds by stage: queue (a request until the owner task takes it), append (one write), flush (one sync), turn (one batch as a whole, answers included).";
    BATCH_REQUESTS = "mqcontainer_batch_requests" Histogram Broker []
        "Requests the owner task takes at a time.";
    BATCH_APPENDS = "mqcontainer_batch_appends" Histogram Broker []
        "Appends written with one write.";
    HELD_PULLS = "mqcontainer_held_pulls" Gauge Broker []
        "Long polls that wait for a message.";
    FLUSH_WAITERS = "mqcontainer_flush_waiters" Gauge Broker []
        "Answers that wait for a sync or for followers.";
    REPLICAS_IN_SYNC = "mqcontainer_replicas_in_sync" Gauge Broker []
        "Followers of a master that are less than haMaxGapNotInSync behind.";
    REPLICA_LAG_BYTES = "mqcontainer_replica_lag_bytes" Gauge Broker ["replica"]
        "Bytes of the log that a follower has not acknowledged; the follower is a broker id, or the host of Java slaves.";
    FOLLOWING = "mqcontainer_following" Gauge Broker []
        "1 while a slave's link to its master stands.";
    ACTING = "mqcontainer_acting" Gauge Broker []
        "1 while a slave acts for its master (enableSlaveActingMaster).";
    RAFT_TERM = "mqcontainer_raft_term" Gauge Broker []
        "Term of a member of a DLedger group.";
    RAFT_ROLE = "mqcontainer_raft_role" Gauge Broker ["role"]
        "1 for what a member of a DLedger group is in its term: follower, pre-candidate, candidate or leader.";
    RAFT_LEADER_KNOWN = "mqcontainer_raft_leader_known" Gauge Broker []
        "1 while a member of a DLedger group knows who leads.";
    RAFT_COMMIT_OFFSET = "mqcontainer_raft_commit_offset" Gauge Broker []
        "Bytes of the log that a majority of a DLedger group holds, as this member knows it.";
    RAFT_ELECTIONS_WON = "mqcontainer_raft_elections_won_total" Counter Broker []
        "Elections this member of a DLedger group has won.";
    PUTS_FAILED = "mqcontainer_puts_failed_total" Counter Broker []
        "Messages the store refused.";
    PULLS_MISSED = "mqcontainer_pulls_missed_total" Counter Broker []
        "Pulls that found nothing.";
    SENT_BACK_MESSAGES = "mqcontainer_sent_back_messages_total" Counter Broker ["topic", "consumer_group", "is_system"]
        "Messages consumers gave back to be tried again.";
    DISK_USED = "mqcontainer_disk_used_ratio" Gauge Broker []
        "Used share of the file system that holds the commit log, 0 to 1.";

    PORT_CONNECTIONS = "mqcontainer_connections" Gauge Port ["port"]
        "Connections open on a port: main (listenPort) or fast (listenPort - 2).";
    PORT_ACCEPTED = "mqcontainer_connections_accepted_total" Counter Port ["port"]
        "Connections accepted.";
    PORT_REFUSED = "mqcontainer_connections_refused_total" Counter Port ["port"]
        "Connections closed at once because the process had enough.";
    PORT_CLOSED = "mqcontainer_connections_closed_total" Counter Port ["port", "reason"]
        "Connections that ended, by reason.";
    PORT_BYTES_IN = "mqcontainer_received_bytes_total" Counter Port ["port"]
        "Bytes read.";
    PORT_BYTES_OUT = "mqcontainer_sent_bytes_total" Counter Port ["port"]
        "Bytes written.";
    PORT_FRAMES_IN = "mqcontainer_received_frames_total" Counter Port ["port"]
        "Frames read; divided by reads it is how many come with one system call.";
    PORT_FRAMES_OUT = "mqcontainer_sent_frames_total" Counter Port ["port"]
        "Frames written; divided by writes it is how many go with one system call.";
    PORT_READS = "mqcontainer_reads_total" Counter Port ["port"]
        "Calls of read that brought bytes.";
    PORT_WRITES = "mqcontainer_writes_total" Counter Port ["port"]
        "Calls of write that took bytes.";

    OPEN_CONNECTIONS = "mqcontainer_open_connections" Gauge Process []
        "Connections of the process, both directions, HTTP not counted.";
    REQUEST_BYTES = "mqcontainer_request_bytes" Gauge Process []
        "Bytes of requests read and not answered, all ports together.";
    PARTIAL_BYTES = "mqcontainer_partial_frame_bytes" Gauge Process []
        "Bytes of frames that have not arrived completely.";
    OUTBOUND_BYTES = "mqcontainer_outbound_bytes" Gauge Process []
        "Bytes that wait for slow readers.";
    POOL_THREADS = "mqcontainer_io_pool_threads" Gauge Process []
        "Threads of the shared pool for disk work that may block.";
    POOL_RUNNING = "mqcontainer_io_pool_running" Gauge Process []
        "Threads of the pool that run a job now.";
    POOL_WAITING = "mqcontainer_io_pool_waiting" Gauge Process []
        "Jobs that wait for a thread of the pool.";
    MEMBERS_STREAMS = "mqcontainer_members_streams" Gauge Process []
        "Streams to other containers, each for all DLedger groups with members in both.";
    MEMBERS_LETTERS = "mqcontainer_members_letters_total" Counter Process ["outcome"]
        "What members of DLedger groups say to each other: delivered in this process, sent to another one, or dropped.";
    NAMESERVER_REACHABLE = "mqcontainer_nameserver_reachable" Gauge Process ["nameserver"]
        "1 when the NameServer answered the last request.";
    NAMESERVER_REGISTERED = "mqcontainer_nameserver_registered_brokers" Gauge Process ["nameserver"]
        "Brokers of this container registered there.";
    PROCESS_CPU = "process_cpu_seconds_total" Counter Process []
        "CPU time of the process, user and system, in seconds.";
    PROCESS_MEMORY = "process_resident_memory_bytes" Gauge Process []
        "Resident memory in bytes.";
    PROCESS_THREADS = "process_threads" Gauge Process []
        "Threads; their number does not depend on the number of brokers.";
    SERIES_LEFT_OUT = "mqcontainer_series_left_out" Gauge Process []
        "Series missing from this page because a family has too many (limit 50000 each, as in Java).";
}

/// docs/metrics.md.
#[must_use]
pub fn document() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         One `/metrics` for the whole process. This page is made from `src/observe/catalogue.rs` by\n\
         `cargo run -- check --metrics > docs/metrics.md`; a test keeps them equal.\n\n\
         Series of brokers carry the labels `cluster`, `node_type`, `node_id` (brokerName) as in Java, and `broker_id` and\n\
         `broker_role`, so that brokers of one process never collide. Series of ports carry the same; for the container's own\n\
         ports `node_type` is `container`, for the NameServer's `namesrv`.\n\n\
         `rocketmq_...` are the names a Java 5.5.0 broker exports; `mqcontainer_...` are our own.\n\n\
         The first 1,000 topics and 2,000 pairs of topic and group of a broker have series of their own; what comes after them is\n\
         counted under `topic=\"(others)\"` and `consumer_group=\"(others)\"`, so that the page does not grow with the topics.\n\n\
         | Name | Kind | Of | Labels | Meaning |\n|---|---|---|---|---|\n",
    );
    for family in ALL {
        let of = match family.scope {
            Scope::Broker => "broker",
            Scope::Port => "port",
            Scope::Process => "process",
        };
        let (name, kind, labels) = (family.name, family.kind.word(), family.labels.join(", "));
        let wrote = writeln!(page, "| {name} | {kind} | {of} | {labels} | {} |", family.help);
        debug_assert!(wrote.is_ok(), "writing into a String does not fail");
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_documentation_is_the_catalogue() {
        let page = include_str!("../../docs/metrics.md");
        assert!(page == document(), "run: cargo run -- check --metrics > docs/metrics.md");
    }

    #[test]
    fn names_are_unique_and_end_as_their_kind_asks() {
        let names: BTreeSet<&str> = ALL.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), ALL.len());
        for family in ALL {
            let counts = family.name.ends_with("_total");
            assert_eq!(counts, family.kind == Kind::Counter, "{}", family.name);
            let own = family.labels.iter().filter(|label| BASE_LABELS.contains(label));
            assert_eq!(own.count(), 0, "{}", family.name);
        }
    }
}
