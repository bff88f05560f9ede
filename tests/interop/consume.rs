//! Consumers: push, pull and lite pull, broadcasting, rebalancing, and what an administrator does to them.

use crate::{run, server, toolchain};

#[test]
fn consumers_read() {
    let Some(java) = toolchain::java() else { return };
    run::scenarios(java, &server::shared(java), &["consume", "pull", "lite", "admin"]);
}

/// With the client's own 20 s between rebalances only the broker's notification makes them fast enough.
#[test]
fn consumers_share_queues() {
    let Some(java) = toolchain::java() else { return };
    run::scenarios_at_stock_pace(java, &server::shared(java), &["rebalance"]);
}
