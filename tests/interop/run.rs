//! Runs one client program with a deadline and reads its verdict.

use std::fs::{self, File};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::server::{MESSAGE_DELAY_LEVEL, Server};
use crate::toolchain::Java;

/// No program takes longer, unless it hangs.
const DEADLINE: Duration = Duration::from_secs(900);

/// Consumers look at their queues every 2 s instead of 20 s, so that a new %RETRY% topic is read at once.
const FAST_REBALANCE: &str = "-Drocketmq.client.rebalance.waitInterval=2000";

/// A Java virtual machine that starts fast and needs little.
pub fn jvm(class_path: &str) -> Command {
    let mut java = Command::new("java");
    java.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx1g", "-cp", class_path]);
    java
}

/// Runs scenarios of both client versions against the server. A name is a scenario or a whole family.
pub fn scenarios(java: &Java, server: &Server, names: &[&str]) {
    for class_path in [&java.client_5_5_0, &java.client_4_9_8] {
        client(
            class_path,
            server,
            "Scenarios",
            &[&[MESSAGE_DELAY_LEVEL, "threads=6"], names].concat(),
            &[FAST_REBALANCE],
        );
    }
}

/// As `scenarios`, but with the client's own pace of rebalancing.
pub fn scenarios_at_stock_pace(java: &Java, server: &Server, names: &[&str]) {
    for class_path in [&java.client_5_5_0, &java.client_4_9_8] {
        client(class_path, server, "Scenarios", &[&[MESSAGE_DELAY_LEVEL, "threads=6"], names].concat(), &[]);
    }
}

/// Runs one of our Java programs: `program namesrvAddr arguments`.
pub fn java(java: &Java, server: &Server, program: &str, arguments: &[&str]) {
    client(&java.client_5_5_0, server, program, arguments, &[FAST_REBALANCE]);
}

fn client(class_path: &str, server: &Server, program: &str, arguments: &[&str], flags: &[&str]) {
    let home = server.directory().join("client-home");
    fs::create_dir_all(&home).unwrap();
    let mut command = jvm(class_path);
    // mqadmin consumerStatus leaves a directory where it was started.
    command
        .current_dir(server.directory())
        .arg(format!("-Duser.home={}", home.display()))
        .arg(format!("-Dinterop.brokers={}", server.brokers.len()))
        .args(flags)
        .arg(program)
        .arg(&server.namesrv)
        .args(arguments);
    verdict(command, server);
}

/// Runs a program to its end. It must exit with 0 and print at least one PASS and no FAIL.
pub fn verdict(mut command: Command, server: &Server) {
    let log = server.log_file("client");
    let file = File::create(&log).unwrap();
    command.stdout(file.try_clone().unwrap()).stderr(file);
    let mut child = Killed(command.spawn().expect("start the client"));
    let deadline = Instant::now() + DEADLINE;
    let status = loop {
        if let Some(status) = child.0.try_wait().unwrap() {
            break Some(status);
        }
        if Instant::now() > deadline {
            break None;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let output = fs::read_to_string(&log).unwrap_or_default();
    let lines = |prefix: &str| output.lines().filter(|line| line.starts_with(prefix)).collect::<Vec<_>>().join("\n");
    println!("{}", lines("PASS"));
    assert!(
        status.is_some_and(|status| status.success()) && !lines("PASS").is_empty() && lines("FAIL").is_empty(),
        "failed:\n{}\n{command:?}\nended with {status:?} (None: not within {DEADLINE:?})\n{}\n\nservers:\n{}",
        lines("FAIL"),
        tail(&output),
        server.logs()
    );
}

/// The end of a log: enough to see what happened, not so much that it hides it.
pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(120)..].join("\n")
}

/// A child process that does not outlive its owner.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
