//! Ordered consumption under queue locks.

use crate::{run, server, toolchain};

#[test]
fn order_of_a_key_is_kept() {
    let Some(java) = toolchain::java() else { return };
    run::scenarios(java, &server::shared(java), &["orderly"]);
}
