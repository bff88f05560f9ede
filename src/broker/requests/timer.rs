//! What a broker without exact timer messages says of them: 60, 61 (Java: `AdminBrokerProcessor.getTimerCheckPoint`).

use crate::protocol::body::data_version::DataVersion;
use crate::protocol::body::timer::{TimerCheckpoint, TimerMetrics};
use crate::protocol::command::Command;
use crate::protocol::ids::Millis;

use super::{ok, ok_json};

/// Lower than any version of a broker that has timer messages: its state version is 0, or more with a controller.
const UNVERSIONED: DataVersion = DataVersion { counter: 0, state_version: -1, timestamp: 0 };

/// GET_TIMER_CHECK_POINT: nothing waits up to now.
///
/// A Java master that is back asks every member and does not take part before each has answered with success; Java's own
/// answer without a timer, code 1, keeps it out for ever. It must not take this checkpoint over, because its own log may hold
/// timer messages that nobody has delivered since; a Java slave does, whatever the version, and finds nothing to do.
pub(super) fn checkpoint(now: Millis) -> Command {
    let checkpoint = TimerCheckpoint { last_read: now, version: UNVERSIONED, ..TimerCheckpoint::default() };
    Command { body: checkpoint.encode().into(), ..ok() }
}

/// GET_TIMER_METRICS: what a Java slave copies.
pub(super) fn metrics() -> Command {
    ok_json(&TimerMetrics { data_version: UNVERSIONED, ..TimerMetrics::default() })
}
