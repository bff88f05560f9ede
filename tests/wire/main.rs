//! The wire format against frames of stock Java (`golden/`), and the decoders against nonsense.
//!
//! `golden`: every recorded frame is decoded, its typed header and body are read, and all of it is written again and compared.
//! `hostile`: mutated frames and records, seeded, must never panic and never be misread.

#![allow(clippy::disallowed_methods, reason = "the recorded frames are files")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod bodies;
mod golden;
mod headers;
mod hostile;
