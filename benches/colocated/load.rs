//! Load on a deployment: our generator, and the stock Java client.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::Arguments;
use crate::deployment::Deployment;
use crate::outcome::Load;

/// What our generator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One send in flight on each connection.
    Sync,
    /// As many as `--inflight`.
    Saturated,
}

/// 1 KiB sends by `mqcontainer bench send`.
pub fn ours(arguments: &Arguments, deployment: &Deployment, mode: Mode) -> Load {
    let json = deployment.directory().join("load.json");
    let generator = arguments.generator.clone();
    let mut command = Command::new(generator.unwrap_or_else(|| env!("CARGO_BIN_EXE_mqcontainer").into()));
    command
        .args(["bench", "send", "--namesrv", &deployment.namesrv, "--topic", "colocated", "--size", "1KiB"])
        .args(["--connections", &arguments.connections.to_string(), "--server-pid", &deployment.pids()])
        .args(["--warmup", &millis(arguments.warmup), "--duration", &millis(arguments.seconds)])
        .arg("--json")
        .arg(&json);
    if mode == Mode::Saturated {
        command.args(["--mode", "async", "--inflight", &arguments.inflight.to_string()]);
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN);
    let errors = report.pointer("/result/errors").and_then(Value::as_object);
    Load {
        messages: number("/result/messages"),
        failed: errors.map_or(0.0, |errors| errors.values().filter_map(Value::as_f64).sum()),
        messages_per_s: number("/result/messages_per_s"),
        cpu_us_per_message: number("/server/cpu_us_per_message"),
        p50_us: number("/result/latency/p50_us"),
        p99_us: number("/result/latency/p99_us"),
        p99_9_us: number("/result/latency/p99_9_us"),
    }
}

fn millis(seconds: f64) -> String {
    format!("{:.0}ms", seconds * 1000.0)
}

/// Synchronous 1 KiB sends by the stock Java client, from several threads of one producer.
pub fn java_client(arguments: &Arguments, deployment: &Deployment, class_path: &str) -> Load {
    let mut command = Command::new("java");
    command
        .arg(format!("-Duser.home={}", deployment.directory().display()))
        .args(["-cp", class_path, "SyncSend", &deployment.namesrv, "colocated", &arguments.threads.to_string(), "1024"])
        .args([&arguments.warmup.to_string(), &arguments.seconds.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().expect("the Java client says begin, end and its result").unwrap();
    let (mut began, mut before) = (Instant::now(), deployment.usage());
    let (mut elapsed, mut after) = (began.elapsed(), before);
    let result = loop {
        let line = next();
        match line.as_str() {
            "begin" => (began, before) = (Instant::now(), deployment.usage()),
            "end" => (elapsed, after) = (began.elapsed(), deployment.usage()),
            // The client's logging prints lines of its own.
            other => {
                if let Some(result) = other.strip_prefix("result ") {
                    break result.to_owned();
                }
            }
        }
    };
    assert!(child.wait().unwrap().success(), "the Java client failed");
    let numbers: Vec<f64> = result.split(' ').map(|number| number.parse().unwrap()).collect();
    let messages = numbers[0];
    Load {
        messages,
        failed: numbers[1],
        messages_per_s: messages / elapsed.as_secs_f64(),
        cpu_us_per_message: after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6 / messages,
        p50_us: numbers[2],
        p99_us: numbers[3],
        p99_9_us: numbers[4],
    }
}
