//! How much one broker takes on before it says "busy".

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::env::Clock;
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::remoting::{Connection, Gate, Left, Request, Service, Ticket};

use super::latency::{Latencies, Rpc};

/// What a request competes with. Each lane has its own limits, so sends never starve heartbeats or administration, and
/// held long polls never starve sends. Java separates them by thread pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Sending, in all its forms (Java: `sendMessageExecutor` and its relatives).
    Send,
    /// Fetching, including held long polls (Java: `pullMessageExecutor` and its relatives).
    Fetch,
    /// Everything else: heartbeats, offsets, locks, queries, administration.
    Control,
}

impl Lane {
    /// All lanes.
    pub const ALL: [Lane; 3] = [Lane::Send, Lane::Fetch, Lane::Control];

    /// The lane of a request code.
    #[must_use]
    pub fn of(code: i32) -> Lane {
        match code {
            request::SEND_MESSAGE
            | request::SEND_MESSAGE_V2
            | request::SEND_BATCH_MESSAGE
            | request::CONSUMER_SEND_MSG_BACK
            | request::SEND_REPLY_MESSAGE
            | request::SEND_REPLY_MESSAGE_V2
            | request::RECALL_MESSAGE
            | request::END_TRANSACTION => Lane::Send,
            request::PULL_MESSAGE
            | request::LITE_PULL_MESSAGE
            | request::POP_MESSAGE
            | request::POP_LITE_MESSAGE
            | request::PEEK_MESSAGE
            | request::NOTIFICATION
            | request::POLLING_INFO => Lane::Fetch,
            _ => Lane::Control,
        }
    }

    /// The word for remarks and metric labels.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Lane::Send => "send",
            Lane::Fetch => "fetch",
            Lane::Control => "control",
        }
    }
}

/// What a lane holds at most: requests that are not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneLimits {
    /// Requests.
    pub requests: usize,
    /// Bytes of their frames.
    pub bytes: usize,
}

/// The limits of one broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Java: `sendThreadPoolQueueCapacity` 10000.
    pub send: LaneLimits,
    /// Java: `pullThreadPoolQueueCapacity` 100000.
    pub fetch: LaneLimits,
    /// Java: 10000 to 1000000 in half a dozen pools.
    pub control: LaneLimits,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        AdmissionLimits {
            send: LaneLimits { requests: 10_000, bytes: 128 * MIB },
            fetch: LaneLimits { requests: 100_000, bytes: 64 * MIB },
            control: LaneLimits { requests: 10_000, bytes: 64 * MIB },
        }
    }
}

#[derive(Debug)]
struct LaneUse {
    limits: LaneLimits,
    requests: AtomicUsize,
    bytes: AtomicUsize,
    refused: AtomicUsize,
}

/// Counts and times the requests of one broker, over all its ports, from arrival to answer.
pub struct Admission {
    lanes: [LaneUse; Lane::ALL.len()],
    latencies: Latencies,
    clock: Arc<dyn Clock>,
}

impl Admission {
    /// Nothing in flight.
    #[must_use]
    pub fn new(limits: AdmissionLimits, clock: Arc<dyn Clock>) -> Arc<Admission> {
        let lane = |limits| LaneUse {
            limits,
            requests: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        };
        let lanes = [lane(limits.send), lane(limits.fetch), lane(limits.control)];
        Arc::new(Admission { lanes, latencies: Latencies::default(), clock })
    }

    /// Requests of a lane that are not answered yet, and their bytes.
    #[must_use]
    pub fn in_flight(&self, lane: Lane) -> (usize, usize) {
        let lane = &self.lanes[lane as usize];
        (lane.requests.load(Ordering::Relaxed), lane.bytes.load(Ordering::Relaxed))
    }

    /// Requests of a lane that were answered with SYSTEM_BUSY.
    #[must_use]
    pub fn refused(&self, lane: Lane) -> usize {
        self.lanes[lane as usize].refused.load(Ordering::Relaxed)
    }

    /// How long requests took.
    #[must_use]
    pub fn latencies(&self) -> &Latencies {
        &self.latencies
    }

    /// Counts a request in, or says why not. A single request is let in however big it is, so that none is refused for ever.
    fn enter(&self, lane: Lane, bytes: usize) -> Result<(), String> {
        let of_lane = &self.lanes[lane as usize];
        let LaneLimits { requests: requests_max, bytes: bytes_max } = of_lane.limits;
        let requests = of_lane.requests.fetch_add(1, Ordering::Relaxed);
        let held = of_lane.bytes.fetch_add(bytes, Ordering::Relaxed);
        if requests < requests_max && (requests == 0 || held + bytes <= bytes_max) {
            return Ok(());
        }
        self.count_out(lane as usize, bytes);
        of_lane.refused.fetch_add(1, Ordering::Relaxed);
        let label = lane.label();
        let reason = if requests >= requests_max {
            format!("the broker has {requests} {label} requests in flight, limit {requests_max}")
        } else {
            format!("the broker holds {held} bytes of {label} requests in flight, limit {bytes_max}")
        };
        Err(format!("[OVERLOAD]system busy, start flow control for a while: {reason}"))
    }

    fn count_out(&self, lane: usize, bytes: usize) {
        let lane = &self.lanes[lane];
        let requests = lane.requests.fetch_sub(1, Ordering::Relaxed);
        let held = lane.bytes.fetch_sub(bytes, Ordering::Relaxed);
        assert!(requests > 0 && held >= bytes, "a request leaves that had not entered");
    }
}

impl Gate for Admission {
    fn leave(&self, ticket: &Ticket, left: Left) {
        self.count_out(ticket.lane, ticket.bytes);
        let took = self.clock.monotonic().saturating_sub(ticket.entered);
        self.latencies.record(Rpc::new(ticket.code, left), took);
    }
}

/// A service behind an admission: what does not fit is answered with code 2 and never reaches it.
pub(super) struct Admitted {
    pub(super) admission: Arc<Admission>,
    pub(super) service: Arc<dyn Service>,
}

impl Service for Admitted {
    fn request(&self, mut request: Request) {
        let (code, bytes) = (request.command.code, request.reply.request_bytes());
        let lane = Lane::of(code);
        match self.admission.enter(lane, bytes) {
            Ok(()) => {
                let ticket = Ticket { lane: lane as usize, bytes, code, entered: self.admission.clock.monotonic() };
                request.reply.pass(Arc::clone(&self.admission) as Arc<dyn Gate>, ticket);
                self.service.request(request);
            }
            Err(remark) => request.reply.answer(Command {
                code: response::SYSTEM_BUSY,
                remark: Some(remark),
                ..Command::default()
            }),
        }
    }

    fn closed(&self, connection: &Connection) {
        self.service.closed(connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SystemClock;

    const LIMITS: AdmissionLimits = AdmissionLimits {
        send: LaneLimits { requests: 2, bytes: 100 },
        fetch: LaneLimits { requests: 1, bytes: 100 },
        control: LaneLimits { requests: 1, bytes: 100 },
    };

    fn check(admission: &Admission, lane: Lane, bytes: usize, expected: Result<(), &str>) {
        let expected =
            expected.map_err(|reason| format!("[OVERLOAD]system busy, start flow control for a while: {reason}"));
        assert_eq!(admission.enter(lane, bytes), expected);
    }

    #[test]
    fn a_full_lane_refuses_and_its_neighbours_do_not() {
        let admission = Admission::new(LIMITS, Arc::new(SystemClock::new()));
        check(&admission, Lane::Send, 10, Ok(()));
        check(&admission, Lane::Send, 10, Ok(()));
        check(&admission, Lane::Send, 10, Err("the broker has 2 send requests in flight, limit 2"));
        check(&admission, Lane::Fetch, 10, Ok(()));
        check(&admission, Lane::Control, 10, Ok(()));
        admission.count_out(Lane::Send as usize, 10);
        check(&admission, Lane::Send, 10, Ok(()));
        assert_eq!(admission.in_flight(Lane::Send), (2, 20));
        assert_eq!(admission.refused(Lane::Send), 1);
    }

    #[test]
    fn bytes_count_too_but_one_request_always_fits() {
        let admission = Admission::new(LIMITS, Arc::new(SystemClock::new()));
        check(&admission, Lane::Send, 4000, Ok(()));
        check(&admission, Lane::Send, 1, Err("the broker holds 4000 bytes of send requests in flight, limit 100"));
        admission.count_out(Lane::Send as usize, 4000);
        check(&admission, Lane::Send, 60, Ok(()));
        check(&admission, Lane::Send, 41, Err("the broker holds 60 bytes of send requests in flight, limit 100"));
        check(&admission, Lane::Send, 40, Ok(()));
        assert_eq!(admission.in_flight(Lane::Send), (2, 100));
    }

    #[test]
    fn lanes_of_codes() {
        assert_eq!(Lane::of(310), Lane::Send);
        assert_eq!(Lane::of(11), Lane::Fetch);
        assert_eq!(Lane::of(34), Lane::Control);
        assert_eq!(Lane::of(-7), Lane::Control);
    }
}
