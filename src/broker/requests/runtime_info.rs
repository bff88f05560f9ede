//! GET_BROKER_RUNTIME_INFO (28): the table behind `brokerStatus`, `clusterList` and the dashboard (Java:
//! `AdminBrokerProcessor.prepareRuntimeInfo`, `StoreStatsService`; reference/ecosystem.md 2.1).
//!
//! All keys of a Java 5.5.0 broker are there. Thread pools that this broker does not have show an empty queue.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::broker::action::{Action, RequestId};
use crate::broker::core::Core;
use crate::broker::state::delay::queue_of;
use crate::broker::state::stats::{PUT_MILLIS_BOUNDS, PutLatency, Totals};
use crate::protocol::body::stats::KvTable;
use crate::protocol::ids::Millis;
use crate::protocol::topic_name;

use super::stats_admin::StatsQuery;

/// `MQVersion` of [`crate::protocol::codes::version::OURS`] as a text.
const VERSION: &str = "V5_5_0";

#[derive(Default)]
struct Table(BTreeMap<String, String>);

impl Table {
    fn put(&mut self, key: &str, value: impl Display) {
        self.0.insert(key.to_owned(), value.to_string());
    }
}

impl Core {
    /// Gathers the table; the time of the oldest message may have to be read from disk.
    pub(super) fn runtime_info(&self, now: Millis, to: RequestId, actions: &mut Vec<Action>) {
        let mut table = Table::default();
        self.put_identity(now, &mut table);
        self.put_counts(now, &mut table);
        self.put_store(&mut table);
        self.put_queues(&mut table);
        for (level, next) in self.delays.progress().filter(|(_, next)| next.0 > 0) {
            let end = self.view.queue_range(topic_name::SCHEDULE, queue_of(level)).max;
            table.put(&format!("scheduleMessageOffset_{level}"), format_args!("{next},{end}"));
        }
        self.read_times(to, StatsQuery::Runtime(KvTable { table: table.0 }), actions);
    }

    fn put_identity(&self, now: Millis, table: &mut Table) {
        table.put("brokerActive", true);
        table.put("brokerVersionDesc", VERSION);
        table.put("bootTimestamp", self.started);
        table.put("runtime", format_runtime(now.since(self.started)));
        table.put("startAcceptSendRequestTimeStamp", 0);
    }

    fn put_counts(&self, now: Millis, table: &mut Table) {
        let stats = &self.stats;
        let mornings = stats.mornings();
        let latency = stats.put_latency_last_minute();
        table.put("msgPutTotalYesterdayMorning", mornings.put_yesterday);
        table.put("msgPutTotalTodayMorning", mornings.put_today);
        table.put("msgPutTotalTodayNow", stats.put.total());
        table.put("msgGetTotalYesterdayMorning", mornings.got_yesterday);
        table.put("msgGetTotalTodayMorning", mornings.got_today);
        table.put("msgGetTotalTodayNow", stats.got.total());
        table.put("putTps", rates(stats.rates(now, |totals: &Totals| totals.put)));
        table.put("getFoundTps", rates(stats.rates(now, |totals: &Totals| totals.found)));
        table.put("getMissTps", rates(stats.rates(now, |totals: &Totals| totals.missed)));
        table.put("getTotalTps", rates(stats.rates(now, |totals: &Totals| totals.found + totals.missed)));
        table.put("getTransferredTps", rates(stats.rates(now, |totals: &Totals| totals.got)));
        table.put("putMessageTimesTotal", stats.put.total());
        table.put("putMessageFailedTimes", stats.put_failed);
        table.put("putMessageSizeTotal", stats.put_bytes);
        table.put("putMessageAverageSize", double(ratio(stats.put_bytes, stats.put.total())));
        table.put("putMessageEntireTimeMax", stats.put_latency().max_millis);
        table.put("putMessageDistributeTime", distribution(latency));
        table.put("putLatency99", format_args!("{:.2}", latency.quantile(0.99)));
        table.put("putLatency999", format_args!("{:.2}", latency.quantile(0.999)));
        table.put("getMessageEntireTimeMax", 0);
        table.put("dispatchMaxBuffer", 0);
    }

    fn put_store(&self, table: &mut Table) {
        let usage = self.view.usage();
        let log = self.config.store.commit_log.display();
        table.put("dispatchBehindBytes", usage.dispatch_behind_bytes);
        table.put("pageCacheLockTimeMills", 0);
        table.put("remainTransientStoreBufferNumbs", i32::MAX);
        table.put("remainHowManyDataToFlush", human_bytes(usage.flush_behind_bytes.unsigned_abs()));
        let (total, free) = (human_bytes(usage.disk.total), human_bytes(usage.disk.available));
        table.put("commitLogDirCapacity", format_args!("Total : {total}, Free : {free}."));
        table.put("commitLogDiskRatio", double(usage.disk_used_ratio));
        table.put(&format!("commitLogDiskRatio_{log}"), double(usage.disk_used_ratio));
        table.put("consumeQueueDiskRatio", double(usage.disk_used_ratio));
        table.put("commitLogMinOffset", usage.first);
        table.put("commitLogMaxOffset", usage.written);
        for key in ["timerReadBehind", "timerOffsetBehind", "timerCongestNum"] {
            table.put(key, 0);
        }
        table.put("timerEnqueueTps", "0.0");
        table.put("timerDequeueTps", "0.0");
    }

    /// Requests of all kinds share one mailbox here, which is empty while the broker decides: nothing waits by kind.
    fn put_queues(&self, table: &mut Table) {
        let (send, pull) = (self.config.requests.send_queue, self.config.requests.pull_queue);
        let shared = self.config.limits.inflight_requests;
        let pools = [("send", send), ("pull", pull), ("litePull", pull), ("query", shared), ("ack", shared)];
        for (pool, capacity) in pools {
            table.put(&format!("{pool}ThreadPoolQueueSize"), 0);
            table.put(&format!("{pool}ThreadPoolQueueCapacity"), capacity);
            table.put(&format!("{pool}ThreadPoolQueueHeadWaitTimeMills"), 0);
        }
        table.put("EndTransactionQueueSize", 0);
        table.put("EndTransactionThreadPoolQueueCapacity", shared);
    }
}

/// Per second over 10 s, 60 s and 600 s, as readers split it.
fn rates([ten, minute, ten_minutes]: [f64; 3]) -> String {
    format!("{} {} {}", double(ten), double(minute), double(ten_minutes))
}

/// As Java writes a double of everyday size: always with a point.
fn double(value: f64) -> String {
    format!("{value:?}")
}

#[expect(clippy::cast_precision_loss, reason = "an average for people")]
fn ratio(sum: u64, count: u64) -> f64 {
    sum as f64 / count.max(1) as f64
}

/// `StoreStatsService.getFormatRuntime`.
fn format_runtime(millis: i64) -> String {
    let seconds = millis.max(0) / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    format!("[ {days} days, {hours} hours, {minutes} minutes, {} seconds ]", seconds % 60)
}

/// `StoreStatsService.putMessageDistributeTimeToString`.
fn distribution(latency: &PutLatency) -> String {
    const NAMES: [&str; PUT_MILLIS_BOUNDS.len() + 1] = [
        "[<=0ms]",
        "[0~10ms]",
        "[10~50ms]",
        "[50~100ms]",
        "[100~200ms]",
        "[200~500ms]",
        "[500ms~1s]",
        "[1~2s]",
        "[2~3s]",
        "[3~4s]",
        "[4~5s]",
        "[5~10s]",
        "[10s~]",
    ];
    let parts = NAMES.iter().zip(latency.buckets).map(|(name, count)| format!("{name}:{count} "));
    parts.collect()
}

/// `MixAll.humanReadableByteCount` with units of 1024.
#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_javas() {
        let mut latency = PutLatency::default();
        [0, 3, 10, 9_999, 60_000].into_iter().for_each(|millis| latency.add(millis));
        let counts = "[<=0ms]:1 [0~10ms]:1 [10~50ms]:1 [50~100ms]:0 [100~200ms]:0 [200~500ms]:0 [500ms~1s]:0 [1~2s]:0 \
            [2~3s]:0 [3~4s]:0 [4~5s]:0 [5~10s]:1 [10s~]:1 ";
        assert_eq!(distribution(&latency), counts);
        assert_eq!(format_runtime(90_061_500), "[ 1 days, 1 hours, 1 minutes, 1 seconds ]");
        assert_eq!([0, 1023, 1024, 1536, 5 << 30].map(human_bytes), ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 GiB"]);
        assert_eq!(rates([0.0, 1.5, 100.0]), "0.0 1.5 100.0");
    }
}
