//! The Go client.

use std::process::Command;

use crate::{run, server, toolchain};

#[test]
fn go_client_sends_and_consumes() {
    let (Some(java), Some(go)) = (toolchain::java(), toolchain::go()) else { return };
    let server = server::shared(java);
    let mut command = Command::new(go);
    command.args([&server.namesrv, "GoTopic", "50"]).env("HOME", server.directory());
    run::verdict(command, &server);
}
