//! Producers: sync, async, one way, batches, sizes, topics made on the fly, and every field of a message.

use crate::{run, server, toolchain};

#[test]
fn producers_send() {
    let Some(java) = toolchain::java() else { return };
    run::scenarios(java, &server::shared(java), &["send", "fields"]);
}

#[test]
fn messages_are_found() {
    let Some(java) = toolchain::java() else { return };
    run::scenarios(java, &server::shared(java), &["query", "offsets", "delay"]);
}
