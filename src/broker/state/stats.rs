//! Counts per topic and group with Java's three windows (`BrokerStatsManager`, `StatsItem`), and the broker's totals
//! behind `brokerStatus` (`StoreStatsService`).
//!
//! A key that saw nothing for two days is forgotten, so that topics that come and go leave nothing behind.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::ids::Millis;

use super::offsets::TopicGroup;
use super::series::{Due, HOUR_MILLIS, MINUTES_MILLIS, SECONDS_MILLIS, Series};

/// Names of the series as `mqadmin statsAll` and the dashboard ask for them (Java: `Stats`).
pub mod name {
    /// Messages stored per topic.
    pub const TOPIC_PUT_NUMS: &str = "TOPIC_PUT_NUMS";
    /// Bytes stored per topic.
    pub const TOPIC_PUT_SIZE: &str = "TOPIC_PUT_SIZE";
    /// Messages handed out per `topic@group`.
    pub const GROUP_GET_NUMS: &str = "GROUP_GET_NUMS";
    /// Bytes handed out per `topic@group`.
    pub const GROUP_GET_SIZE: &str = "GROUP_GET_SIZE";
    /// Messages given back per `topic@group`.
    pub const SNDBCK_PUT_NUMS: &str = "SNDBCK_PUT_NUMS";
    /// Messages stored, key = cluster name.
    pub const BROKER_PUT_NUMS: &str = "BROKER_PUT_NUMS";
    /// Messages handed out, key = cluster name.
    pub const BROKER_GET_NUMS: &str = "BROKER_GET_NUMS";
}

const MINUTE_MILLIS: i64 = 60_000;
/// The windows of `putTps` and its like.
const RATE_MILLIS: [i64; 3] = [10_000, 60_000, 600_000];
/// Samples every 10 s that reach back ten minutes.
const RECENT_MAX: usize = 62;
/// Topics that have series of their own in the metrics, first come first served; the others share theirs.
pub const TOPICS_SHOWN_MAX: usize = 1_000;
/// The same of pairs of topic and group.
pub const PAIRS_SHOWN_MAX: usize = 2_000;
const FORGET_MILLIS: i64 = 2 * 24 * HOUR_MILLIS;

/// `message_type` of the metrics (Java: `TopicMessageType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageKind {
    /// None of the others.
    Normal,
    /// With a sharding key.
    Fifo,
    /// With a delay.
    Delay,
}

impl MessageKind {
    /// All of them.
    pub const ALL: [MessageKind; 3] = [MessageKind::Normal, MessageKind::Fifo, MessageKind::Delay];

    /// The label's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MessageKind::Normal => "normal",
            MessageKind::Fifo => "fifo",
            MessageKind::Delay => "delay",
        }
    }
}

/// Upper bounds of the buckets of `rocketmq_message_size` in bytes; a last bucket is above them.
pub const SIZE_BOUNDS: [u64; 6] = [1 << 10, 4 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20];

/// Mean message sizes of puts, one count per put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Puts in each bucket of [`SIZE_BOUNDS`] and above, not cumulated.
    pub buckets: [u64; SIZE_BOUNDS.len() + 1],
    /// Sum of the sizes in bytes.
    pub sum: u64,
}

impl Sizes {
    fn add(&mut self, bytes: u64) {
        self.buckets[SIZE_BOUNDS.partition_point(|bound| *bound < bytes)] += 1;
        self.sum += bytes;
    }

    /// Puts.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// Upper bounds of the buckets of `putMessageDistributeTime` in milliseconds, exclusive but for the first; a last bucket is
/// above them (Java: `StoreStatsService`).
pub const PUT_MILLIS_BOUNDS: [i64; 12] = [0, 10, 50, 100, 200, 500, 1_000, 2_000, 3_000, 4_000, 5_000, 10_000];

/// How long puts took: the write of their batch to the page cache and, where the producer waits for it, the sync.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutLatency {
    /// Puts in each bucket of [`PUT_MILLIS_BOUNDS`] and above, not cumulated.
    pub buckets: [u64; PUT_MILLIS_BOUNDS.len() + 1],
    /// Sum in milliseconds.
    pub sum_millis: u64,
    /// The longest in milliseconds.
    pub max_millis: i64,
}

impl PutLatency {
    /// Counts one put.
    pub fn add(&mut self, millis: i64) {
        let millis = millis.max(0);
        let bucket = match millis {
            0 => 0,
            _ => PUT_MILLIS_BOUNDS.partition_point(|bound| *bound <= millis),
        };
        self.buckets[bucket] += 1;
        self.sum_millis += millis.unsigned_abs();
        self.max_millis = self.max_millis.max(millis);
    }

    /// Puts.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// A bound that the `share` (0 to 1) of all puts stays below, in milliseconds; the longest put for the last bucket.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub fn quantile(&self, share: f64) -> f64 {
        let wanted = self.count() as f64 * share;
        let mut seen = 0.0;
        for (count, bound) in self.buckets.iter().zip(PUT_MILLIS_BOUNDS) {
            seen += *count as f64;
            if seen >= wanted {
                return bound.min(self.max_millis) as f64;
            }
        }
        self.max_millis as f64
    }
}

/// Puts of one [`MessageKind`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindCounts {
    /// Messages stored.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their sizes.
    pub sizes: Sizes,
}

impl KindCounts {
    /// Adds the puts of another topic.
    pub fn merge(&mut self, other: &KindCounts) {
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.sizes.sum += other.sizes.sum;
        self.sizes.buckets.iter_mut().zip(other.sizes.buckets).for_each(|(sum, more)| *sum += more);
    }
}

/// What is counted per topic.
#[derive(Debug, Default)]
pub struct TopicStats {
    /// Messages stored.
    pub put_nums: Series,
    /// Bytes stored.
    pub put_size: Series,
    kinds: [KindCounts; MessageKind::ALL.len()],
    is_shown: bool,
}

impl TopicStats {
    /// Whether it has series of its own in the metrics.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.is_shown
    }

    /// Counts one put of `messages` (at least one) with `bytes` in all.
    pub fn put(&mut self, now: Millis, kind: Option<MessageKind>, messages: u64, bytes: u64) {
        self.put_nums.add(now, messages);
        self.put_size.add(now, bytes);
        let Some(kind) = kind else { return };
        let counts = &mut self.kinds[kind as usize];
        counts.messages += messages;
        counts.bytes += bytes;
        counts.sizes.add(bytes / messages.max(1));
    }

    /// The puts of one kind.
    #[must_use]
    pub fn of_kind(&self, kind: MessageKind) -> KindCounts {
        self.kinds[kind as usize]
    }
}

/// What is counted per topic and group.
#[derive(Debug, Default)]
pub struct GroupStats {
    /// Messages handed out.
    pub get_nums: Series,
    /// Bytes handed out.
    pub get_size: Series,
    /// Messages given back.
    pub send_back: Series,
    /// Messages that went to the dead letter queue.
    pub dead: u64,
    is_shown: bool,
}

impl GroupStats {
    /// Whether it has series of its own in the metrics.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.is_shown
    }
}

/// All counts of a broker.
#[derive(Debug, Default)]
pub struct Stats {
    /// Not in order: every put looks its topic up, and of ten thousand a tree compares fourteen.
    topics: HashMap<Arc<str>, Box<TopicStats>>,
    groups: BTreeMap<TopicGroup, GroupStats>,
    topics_shown: usize,
    pairs_shown: usize,
    /// Messages stored.
    pub put: Series,
    /// Messages handed out.
    pub got: Series,
    /// Pulls that found messages, and pulls that did not.
    pub found: Series,
    /// Pulls that found nothing.
    pub missed: Series,
    /// Sends refused by the store.
    pub put_failed: u64,
    /// Bytes stored.
    pub put_bytes: u64,
    put_latency: PutLatency,
    put_latency_minute: PutLatency,
    put_latency_last_minute: Option<PutLatency>,
    minute_began: Millis,
    /// The last ten minutes, oldest first.
    recent: VecDeque<(Millis, Totals)>,
    /// Totals at the last two midnights, for "today" and "yesterday".
    mornings: Mornings,
    sampled_seconds: Millis,
    sampled_minutes: Millis,
    sampled_hour: Millis,
}

/// What was counted in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages stored.
    pub put: u64,
    /// Messages handed out.
    pub got: u64,
    /// Pulls that found messages.
    pub found: u64,
    /// Pulls that found none.
    pub missed: u64,
}

/// Totals at midnight (`msgPutTotalYesterdayMorning` and its like).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mornings {
    /// Messages stored before yesterday's midnight.
    pub put_yesterday: u64,
    /// Messages stored before today's midnight.
    pub put_today: u64,
    /// Messages handed out before yesterday's midnight.
    pub got_yesterday: u64,
    /// Messages handed out before today's midnight.
    pub got_today: u64,
    day: i64,
}

impl Stats {
    /// Counts a put that is over, by how long the write of its batch took.
    pub fn put_took(&mut self, took: Duration) {
        self.put_lasted(i64::try_from(took.as_millis()).unwrap_or(i64::MAX));
    }

    /// Counts a put that is over, by milliseconds.
    pub fn put_lasted(&mut self, millis: i64) {
        self.put_latency.add(millis);
        self.put_latency_minute.add(millis);
    }

    /// How long all puts took.
    #[must_use]
    pub fn put_latency(&self) -> &PutLatency {
        &self.put_latency
    }

    /// How long the puts of the last whole minute took, which is what Java's `putMessageDistributeTime` and `putLatency99`
    /// say; before a minute is over, those there were.
    #[must_use]
    pub fn put_latency_last_minute(&self) -> &PutLatency {
        self.put_latency_last_minute.as_ref().unwrap_or(&self.put_latency_minute)
    }

    /// The counts of a topic.
    pub fn topic(&mut self, topic: &Arc<str>) -> &mut TopicStats {
        self.topics.entry(Arc::clone(topic)).or_insert_with(|| {
            let is_shown = self.topics_shown < TOPICS_SHOWN_MAX;
            self.topics_shown += usize::from(is_shown);
            Box::new(TopicStats { is_shown, ..TopicStats::default() })
        })
    }

    /// The counts of a topic and group.
    pub fn group(&mut self, topic: &Arc<str>, group: &Arc<str>) -> &mut GroupStats {
        let key = TopicGroup { topic: Arc::clone(topic), group: Arc::clone(group) };
        self.groups.entry(key).or_insert_with(|| {
            let is_shown = self.pairs_shown < PAIRS_SHOWN_MAX;
            self.pairs_shown += usize::from(is_shown);
            GroupStats { is_shown, ..GroupStats::default() }
        })
    }

    /// The counts of every topic, by name.
    pub fn topics(&self) -> impl Iterator<Item = (&Arc<str>, &TopicStats)> {
        let mut topics: Vec<_> = self.topics.iter().map(|(name, stats)| (name, &**stats)).collect();
        topics.sort_unstable_by_key(|(name, _)| *name);
        topics.into_iter()
    }

    /// The counts of every topic and group.
    pub fn groups(&self) -> impl Iterator<Item = (&TopicGroup, &GroupStats)> {
        self.groups.iter()
    }

    /// A series by its Java name and key; `None` for a name we do not keep or a key that saw nothing.
    #[must_use]
    pub fn find(&self, series: &str, key: &str) -> Option<&Series> {
        let topic = || self.topics.get(key).map(|stats| &**stats);
        let group = || {
            let (topic, group) = key.split_once('@')?;
            self.groups.get(&TopicGroup { topic: topic.into(), group: group.into() })
        };
        match series {
            name::TOPIC_PUT_NUMS => topic().map(|stats| &stats.put_nums),
            name::TOPIC_PUT_SIZE => topic().map(|stats| &stats.put_size),
            name::GROUP_GET_NUMS => group().map(|stats| &stats.get_nums),
            name::GROUP_GET_SIZE => group().map(|stats| &stats.get_size),
            name::SNDBCK_PUT_NUMS => group().map(|stats| &stats.send_back),
            name::BROKER_PUT_NUMS => Some(&self.put),
            name::BROKER_GET_NUMS => Some(&self.got),
            _ => None,
        }
    }

    /// Forgets a deleted topic.
    pub fn remove_topic(&mut self, topic: &str) {
        self.topics.remove(topic);
        self.groups.retain(|key, _| &*key.topic != topic);
        self.count_shown();
    }

    /// Forgets a deleted group.
    pub fn remove_group(&mut self, group: &str) {
        self.groups.retain(|key, _| &*key.group != group);
        self.count_shown();
    }

    /// Some were forgotten: as many new ones may have series of their own.
    fn count_shown(&mut self) {
        self.topics_shown = self.topics.values().filter(|stats| stats.is_shown).count();
        self.pairs_shown = self.groups.values().filter(|stats| stats.is_shown).count();
    }

    /// Totals at the last midnights.
    #[must_use]
    pub fn mornings(&self) -> Mornings {
        self.mornings
    }

    /// Per second over the last 10 s, 60 s and 600 s, or over what there is of them.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "rates for people")]
    pub fn rates(&self, now: Millis, of: impl Fn(&Totals) -> u64) -> [f64; 3] {
        let current = of(&self.totals());
        RATE_MILLIS.map(|window| {
            let start = self.recent.iter().rfind(|(at, _)| now.since(*at) >= window).or(self.recent.front());
            let Some((at, then)) = start else { return 0.0 };
            let millis = now.since(*at);
            if millis <= 0 { 0.0 } else { (current - of(then)) as f64 * 1000.0 / millis as f64 }
        })
    }

    fn totals(&self) -> Totals {
        Totals { put: self.put.total(), got: self.got.total(), found: self.found.total(), missed: self.missed.total() }
    }

    /// When the next sample is due.
    #[must_use]
    pub fn next_deadline(&self) -> Millis {
        self.sampled_seconds.plus(SECONDS_MILLIS)
    }

    /// Takes the samples that are due; `day` is the number of the local day.
    pub fn upkeep(&mut self, now: Millis, day: i64) {
        self.roll_day(day);
        let due = Due {
            seconds: now.since(self.sampled_seconds) >= SECONDS_MILLIS,
            minutes: now.since(self.sampled_minutes) >= MINUTES_MILLIS,
            hour: now.since(self.sampled_hour) >= HOUR_MILLIS,
        };
        if !due.seconds {
            return;
        }
        self.sampled_seconds = now;
        self.roll_minute(now);
        self.recent.push_back((now, self.totals()));
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
        if due.minutes {
            self.sampled_minutes = now;
        }
        if due.hour {
            self.sampled_hour = now;
            self.topics.retain(|_, stats| now.since(stats.put_nums.touched()) < FORGET_MILLIS);
            self.groups.retain(|_, stats| {
                let touched = stats.get_nums.touched().max(stats.send_back.touched());
                now.since(touched) < FORGET_MILLIS
            });
            self.count_shown();
        }
        let per_topic = self.topics.values_mut().flat_map(|stats| [&mut stats.put_nums, &mut stats.put_size]);
        let per_group =
            self.groups.values_mut().flat_map(|stats| [&mut stats.get_nums, &mut stats.get_size, &mut stats.send_back]);
        let totals = [&mut self.put, &mut self.got, &mut self.found, &mut self.missed];
        for series in per_topic.chain(per_group).chain(totals) {
            series.sample(now, &due);
        }
    }

    fn roll_minute(&mut self, now: Millis) {
        if self.minute_began == Millis::default() {
            self.minute_began = now;
        } else if now.since(self.minute_began) >= MINUTE_MILLIS {
            self.minute_began = now;
            self.put_latency_last_minute = Some(std::mem::take(&mut self.put_latency_minute));
        }
    }

    fn roll_day(&mut self, day: i64) {
        if self.mornings.day == 0 {
            self.mornings.day = day;
        } else if self.mornings.day != day {
            self.mornings = Mornings {
                put_yesterday: self.mornings.put_today,
                put_today: self.put.total(),
                got_yesterday: self.mornings.got_today,
                got_today: self.got.total(),
                day,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::body::stats::BrokerStatsItem;

    #[test]
    fn a_window_is_newest_minus_oldest() {
        let mut stats = Stats::default();
        let topic: Arc<str> = "t".into();
        stats.topic(&topic).put_nums.add(Millis(10_000_000), 50);
        stats.upkeep(Millis(10_000_000), 1);
        for second in 1..=7 {
            stats.topic(&topic).put_nums.add(Millis(10_000_000), 10);
            stats.upkeep(Millis(10_000_000 + second * 10_000), 1);
        }
        let read = stats.find(name::TOPIC_PUT_NUMS, "t").unwrap().read();
        let expect = BrokerStatsItem { sum: 60, tps: 1.0, avgpt: 10.0 };
        assert_eq!(read.stats_minute, expect);
        assert_eq!(read.stats_day, BrokerStatsItem { sum: 50, tps: 50.0 / 3600.0, avgpt: 50.0 });
        assert!(stats.find(name::TOPIC_PUT_NUMS, "u").is_none());
    }

    #[test]
    fn puts_are_shown_by_the_minute() {
        let mut stats = Stats::default();
        stats.upkeep(Millis(10_000_000), 1);
        stats.put_took(Duration::from_micros(12_900));
        let counts =
            |stats: &Stats| (stats.put_latency_last_minute().buckets[2], stats.put_latency_last_minute().sum_millis);
        assert_eq!(counts(&stats), (1, 12), "the first minute is not over");
        stats.upkeep(Millis(10_060_000), 1);
        stats.put_took(Duration::from_millis(30));
        assert_eq!(counts(&stats), (1, 12));
        stats.upkeep(Millis(10_120_000), 1);
        assert_eq!(counts(&stats), (1, 30));
        stats.upkeep(Millis(10_180_000), 1);
        assert_eq!(counts(&stats), (0, 0));
        assert_eq!((stats.put_latency().count(), stats.put_latency().max_millis), (2, 30));
    }

    #[test]
    fn midnight_moves_the_totals() {
        let mut stats = Stats::default();
        stats.upkeep(Millis(0), 10);
        stats.put.add(Millis(1), 5);
        stats.upkeep(Millis(2), 11);
        stats.put.add(Millis(3), 2);
        stats.upkeep(Millis(4), 12);
        let mornings = stats.mornings();
        assert_eq!((mornings.put_yesterday, mornings.put_today), (5, 7));
    }

    #[test]
    fn so_many_topics_have_series_of_their_own() {
        let mut stats = Stats::default();
        for number in 0..=TOPICS_SHOWN_MAX {
            stats.topic(&format!("t{number}").into()).put_nums.add(Millis(1), 1);
        }
        let hidden = |stats: &Stats| -> Vec<String> {
            stats.topics().filter(|(_, stats)| !stats.is_shown()).map(|(name, _)| name.to_string()).collect()
        };
        assert_eq!(hidden(&stats), [format!("t{TOPICS_SHOWN_MAX}")]);
        stats.remove_topic("t0");
        stats.topic(&"new".into());
        assert_eq!(hidden(&stats), [format!("t{TOPICS_SHOWN_MAX}")], "those that are counted stay where they are");
        stats.topic(&"newer".into());
        assert_eq!(hidden(&stats).len(), 2);
    }

    #[test]
    fn what_nobody_uses_is_forgotten() {
        let mut stats = Stats::default();
        stats.topic(&"t".into()).put_nums.add(Millis(1), 1);
        stats.upkeep(Millis(FORGET_MILLIS + 2), 1);
        assert_eq!(stats.topics().count(), 0);
    }
}
