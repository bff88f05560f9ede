//! Logs: one event a line on stderr, with fields; `broker=` says whose it is.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// What is logged when nobody says.
const DEFAULT: &str = "info";

/// A filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "log filter {filter:?}: {reason}; write a level (error, warn, info, debug, trace) or target=level, separated by commas"
)]
pub struct BadFilter {
    filter: String,
    reason: String,
}

/// Starts logging for the whole process, by `filter`, else by the environment's RUST_LOG, else at level info.
///
/// # Errors
/// The filter cannot be read.
pub fn start(filter: Option<&str>, environment: Option<&str>) -> Result<(), BadFilter> {
    let filter = filter.or(environment).filter(|filter| !filter.is_empty()).unwrap_or(DEFAULT);
    let parsed = EnvFilter::try_new(filter)
        .map_err(|error| BadFilter { filter: filter.to_owned(), reason: error.to_string() })?;
    let started = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .try_init();
    // A second call keeps the first one's filter; only tests make one.
    drop(started);
    Ok(())
}
