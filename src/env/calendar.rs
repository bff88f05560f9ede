//! The local calendar: "today" and file names follow the machine's time zone, as in Java.

use chrono::{DateTime, Datelike, Local, TimeZone, Timelike};

fn local(millis: i64) -> Option<DateTime<Local>> {
    Local.timestamp_millis_opt(millis).single()
}

/// The number of the local day that holds this time; grows by one at each local midnight.
#[must_use]
pub fn local_day(millis: i64) -> i64 {
    local(millis).map_or(0, |time| i64::from(time.num_days_from_ce()))
}

/// The local hour of the day, 0 to 23.
#[must_use]
pub fn local_hour(millis: i64) -> u32 {
    local(millis).map_or(0, |time| time.hour())
}

/// The time as Java's `yyyyMMddHHmmssSSS`, local.
#[must_use]
pub fn local_timestamp(millis: i64) -> String {
    local(millis).map_or_else(|| format!("{millis:017}"), |time| time.format("%Y%m%d%H%M%S%3f").to_string())
}
