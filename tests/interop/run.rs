//! Runs one client program with a deadline and reads its verdict.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
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
    verdict(command(class_path, server, program, arguments, flags), server);
}

fn command(class_path: &str, server: &Server, program: &str, arguments: &[&str], flags: &[&str]) -> Command {
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
    command
}

/// Runs a program to its end. It must exit with 0 and print at least one PASS and no FAIL.
pub fn verdict(command: Command, server: &Server) {
    Running::start(command, server).ends(&[server]);
}

/// A program that says in between what the test has to do with the servers.
pub struct Running {
    command: Command,
    child: Killed,
    log: PathBuf,
    deadline: Instant,
}

impl Running {
    /// Starts one of our Java programs: `program namesrvAddr arguments`.
    pub fn java(java: &Java, server: &Server, program: &str, arguments: &[&str]) -> Running {
        Running::start(command(&java.client_5_5_0, server, program, arguments, &[FAST_REBALANCE]), server)
    }

    fn start(mut command: Command, server: &Server) -> Running {
        let log = server.log_file("client");
        let file = File::create(&log).unwrap();
        command.stdin(Stdio::piped()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = Killed(command.spawn().expect("start the client"));
        Running { command, child, log, deadline: Instant::now() + DEADLINE }
    }

    /// Waits until it wants this of one of so many servers, and says which.
    pub fn wants_one(&mut self, what: &str, count: usize, servers: &[&Server]) -> usize {
        let asked = |output: &str| {
            let line = |number: &usize| format!("WANT {what} {number}");
            (0..count).find(|number| output.lines().any(|printed| printed == line(number)))
        };
        loop {
            if let Some(number) = asked(&self.output()) {
                return number;
            }
            let ended = self.child.0.try_wait().unwrap();
            if ended.is_some() || Instant::now() > self.deadline {
                self.failed(&format!("did not come to WANT {what}"), ended, servers);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until it prints `WANT` and this.
    pub fn wants(&mut self, what: &str, servers: &[&Server]) {
        let line = format!("WANT {what}");
        while !self.output().lines().any(|printed| printed == line) {
            let ended = self.child.0.try_wait().unwrap();
            if ended.is_some() || Instant::now() > self.deadline {
                self.failed(&format!("did not come to {line}"), ended, servers);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What it wanted is done.
    pub fn done(&mut self) {
        self.child.0.stdin.as_mut().unwrap().write_all(b"\n").expect("the client reads");
    }

    /// Waits for its end and its verdict.
    pub fn ends(mut self, servers: &[&Server]) {
        let status = loop {
            let ended = self.child.0.try_wait().unwrap();
            if ended.is_some() || Instant::now() > self.deadline {
                break ended;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        let output = self.output();
        println!("{}", lines(&output, "PASS"));
        let passed = !lines(&output, "PASS").is_empty() && lines(&output, "FAIL").is_empty();
        if !(passed && status.is_some_and(|status| status.success())) {
            self.failed(&lines(&output, "FAIL"), status, servers);
        }
    }

    fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn failed(&self, what: &str, status: Option<ExitStatus>, servers: &[&Server]) -> ! {
        panic!(
            "failed:\n{what}\n{:?}\nended with {status:?} (None: not within {DEADLINE:?})\n{}\n\nservers:\n{}",
            self.command,
            tail(&self.output()),
            servers.iter().map(|server| server.logs()).collect::<String>()
        );
    }
}

fn lines(output: &str, prefix: &str) -> String {
    output.lines().filter(|line| line.starts_with(prefix)).collect::<Vec<_>>().join("\n")
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
