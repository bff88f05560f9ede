//! Messages handed back: %RETRY% and the dead letter queue.

use crate::{run, server, toolchain};

#[test]
fn messages_come_again_and_end_in_the_dead_letter_queue() {
    let Some(java) = toolchain::java() else { return };
    run::scenarios(java, &server::shared(java), &["retry"]);
}
