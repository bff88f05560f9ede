//! What must hold, one file each, every one with a history that it must catch.

pub mod committed;
pub mod complete;
pub mod election;
pub mod lease;
pub mod matching;
pub mod members;
pub mod monotone;
pub mod promised;
pub mod quorum;
pub mod votes;
pub mod whole;
