//! What an operator sees: metrics, the HTTP endpoint, logs.
//!
//! ```text
//! catalogue (every series there is) --> exposition (samples of one scrape -> text) --\
//!                                                                                     http <-- Prometheus, curl
//!                                          pages of whoever runs the process --------/
//! logs: events on stderr
//! ```
//!
//! A scrape builds its page anew from plain numbers that the rooms of the process keep. There is no global registry: series of
//! brokers and topics that are gone are gone from the next page, and counters of a broker that was started again begin
//! at zero as Prometheus expects.
//!
//! Invariants: a series that is not in the catalogue cannot be written; docs/metrics.md is the catalogue; a page is bounded.
//! Must not know: who keeps the numbers.

pub mod catalogue;
pub mod exposition;
pub mod http;
pub mod logs;
