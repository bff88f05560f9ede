//! What must hold, one file each, every one with a history that it must catch.

pub mod acknowledged;
pub mod admitted;
pub mod answered;
pub mod converged;
pub mod epochs;
pub mod kept;
pub mod numbered;
pub mod prefix;
pub mod replicated;
pub mod survived;
