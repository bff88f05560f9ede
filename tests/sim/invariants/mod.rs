//! What must hold, one file each, every one with a history that it must catch.

pub mod acknowledged;
pub mod answered;
pub mod converged;
pub mod epochs;
pub mod numbered;
pub mod prefix;
pub mod replicated;
