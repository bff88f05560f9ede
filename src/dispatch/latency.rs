//! How long the requests of one broker took, from arrival to answer (Java: `rocketmq_rpc_latency`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::protocol::codes;
use crate::remoting::Left;

/// Upper bounds of the buckets in milliseconds, Java's; one more bucket takes what is longer.
pub const LATENCY_BOUNDS_MILLIS: [u64; 9] = [1, 3, 5, 7, 10, 100, 1_000, 2_000, 3_000];

/// Stands for every code that is in no table of Java's.
const UNKNOWN: i32 = -1;

/// What requests are told apart by. Codes Java does not know count as one, so the number of cells is bounded by the tables of
/// `protocol::codes` whatever peers send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rpc {
    /// The request's code, -1 for one Java does not know.
    pub request: i32,
    /// The answer's code.
    pub response: i32,
    /// How it ended.
    pub result: RpcResult,
    /// The answer waited for a message to arrive.
    pub long_polling: bool,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RpcResult {
    /// Answered, with whatever code.
    Success,
    /// Nobody wanted an answer.
    Oneway,
    /// Given up without an answer of its own.
    Failed,
}

impl RpcResult {
    /// Java's word (`RemotingMetricsConstant`).
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            RpcResult::Success => "success",
            RpcResult::Oneway => "oneway",
            RpcResult::Failed => "process_request_failed",
        }
    }
}

impl Rpc {
    pub(super) fn new(request: i32, left: Left) -> Rpc {
        Rpc {
            request: codes::request_name(request).map_or(UNKNOWN, |_| request),
            response: codes::response_name(left.response).map_or(UNKNOWN, |_| left.response),
            result: match left {
                Left { given_up: true, .. } => RpcResult::Failed,
                Left { oneway: true, .. } => RpcResult::Oneway,
                _ => RpcResult::Success,
            },
            long_polling: left.suspended,
        }
    }

    /// The request's code by name, as the label `request_code` has it.
    #[must_use]
    pub fn request_name(&self) -> &'static str {
        codes::request_name(self.request).unwrap_or("UNKNOWN")
    }

    /// The answer's code by name, as the label `response_code` has it.
    #[must_use]
    pub fn response_name(&self) -> &'static str {
        codes::response_name(self.response).unwrap_or("UNKNOWN")
    }
}

/// One histogram.
#[derive(Debug, Default)]
pub struct Latency {
    buckets: [AtomicU64; LATENCY_BOUNDS_MILLIS.len() + 1],
    micros: AtomicU64,
}

impl Latency {
    fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = LATENCY_BOUNDS_MILLIS.iter().position(|bound| micros <= bound * 1_000);
        self.buckets[bucket.unwrap_or(LATENCY_BOUNDS_MILLIS.len())].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Requests by bucket, the one above all bounds last.
    #[must_use]
    pub fn counts(&self) -> [u64; LATENCY_BOUNDS_MILLIS.len() + 1] {
        std::array::from_fn(|bucket| self.buckets[bucket].load(Ordering::Relaxed))
    }

    /// The time of all requests together in microseconds.
    #[must_use]
    pub fn sum_micros(&self) -> u64 {
        self.micros.load(Ordering::Relaxed)
    }
}

/// The histograms of one broker. Recording takes a read lock and two atomic additions; a new kind of request takes the write
/// lock once.
#[derive(Debug, Default)]
pub struct Latencies {
    cells: RwLock<BTreeMap<Rpc, Arc<Latency>>>,
}

impl Latencies {
    pub(super) fn record(&self, rpc: Rpc, took: Duration) {
        if let Some(cell) = self.cells.read().unwrap_or_else(PoisonError::into_inner).get(&rpc) {
            return cell.record(took);
        }
        self.cells.write().unwrap_or_else(PoisonError::into_inner).entry(rpc).or_default().record(took);
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<(Rpc, Arc<Latency>)> {
        let cells = self.cells.read().unwrap_or_else(PoisonError::into_inner);
        cells.iter().map(|(rpc, cell)| (*rpc, Arc::clone(cell))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWERED: Left = Left { response: 0, oneway: false, given_up: false, suspended: false };

    /// Records one request and compares the whole table.
    fn check(code: i32, left: Left, took: Duration, expected: (&str, &str, &str, bool), bucket: usize) {
        let latencies = Latencies::default();
        latencies.record(Rpc::new(code, left), took);
        let seen: Vec<_> = latencies
            .all()
            .into_iter()
            .map(|(rpc, cell)| {
                (
                    (rpc.request_name(), rpc.response_name(), rpc.result.label(), rpc.long_polling),
                    cell.counts(),
                    cell.sum_micros(),
                )
            })
            .collect();
        let mut counts = [0; LATENCY_BOUNDS_MILLIS.len() + 1];
        counts[bucket] = 1;
        assert_eq!(seen, [(expected, counts, took.as_micros() as u64)]);
    }

    #[test]
    fn requests_are_told_apart_by_code_answer_and_end() {
        check(10, ANSWERED, Duration::from_micros(1_000), ("SEND_MESSAGE", "SUCCESS", "success", false), 0);
        check(10, ANSWERED, Duration::from_micros(1_001), ("SEND_MESSAGE", "SUCCESS", "success", false), 1);
        let oneway = Left { oneway: true, ..ANSWERED };
        check(15, oneway, Duration::from_millis(50), ("UPDATE_CONSUMER_OFFSET", "SUCCESS", "oneway", false), 5);
        let given_up = Left { response: 1, given_up: true, ..ANSWERED };
        let failed = ("SEND_MESSAGE", "SYSTEM_ERROR", "process_request_failed", false);
        check(10, given_up, Duration::from_secs(3), failed, 8);
        let held = Left { response: 19, suspended: true, ..ANSWERED };
        check(11, held, Duration::from_secs(15), ("PULL_MESSAGE", "PULL_NOT_FOUND", "success", true), 9);
        check(
            -7,
            Left { response: 3, ..ANSWERED },
            Duration::ZERO,
            ("UNKNOWN", "REQUEST_CODE_NOT_SUPPORTED", "success", false),
            0,
        );
    }
}
