//! A world for one test: the test runs once more in namespaces of its own, in which it is root and process 1.
//!
//! Whatever it starts and whatever interfaces it makes end with it, by the kernel's hand, so nothing is left to clean up after a
//! failure. Named namespaces (`ip netns`) would outlive a test that is killed, and need root.

use std::io::Write;
use std::process::Command;

use crate::support::Outcome;

/// Set in the world.
const INSIDE: &str = "CLUSTER_WORLD";

/// Everything ends with the test.
const OWN: [&str; 5] = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
/// For those who are not root outside.
const OWN_ROOT: [&str; 2] = ["--user", "--map-root-user"];

/// Runs `body`, which is the test of this name, in a world of its own. A machine that does not allow it, or that lacks unshare or ip, is
/// told in one line and is no failure.
pub fn of_its_own(test: &str, body: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let Some(mut command) = unshare() else {
        // Not eprintln: the line is to be seen although the test passes.
        writeln!(std::io::stderr(), "SKIPPED: {test}: this machine allows no network namespaces with TUN interfaces")?;
        return Ok(());
    };
    let output =
        command.arg(std::env::current_exe()?).args(["--exact", test, "--nocapture"]).env(INSIDE, "1").output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}{}", String::from_utf8_lossy(&output.stderr));
    // A name that no test has would pass without a test.
    let passed = output.status.success() && told.contains(" 1 passed");
    if passed { Ok(()) } else { Err(format!("{test}: {}", output.status).into()) }
}

/// The command that makes a world, by root's right or by that of a user namespace.
fn unshare() -> Option<Command> {
    let worlds = [OWN.to_vec(), [&OWN_ROOT[..], &OWN].concat()];
    let command = |flags: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(flags);
        command
    };
    let works = |flags: &&Vec<&str>| {
        let tried = command(flags).args(["ip", "tuntap", "add", "mode", "tun", "name", "probe"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    worlds.iter().find(works).map(|flags| command(flags))
}
