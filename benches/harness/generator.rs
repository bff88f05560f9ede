//! One run of `mqcontainer bench` as a process of its own, and what it measured.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Serialize;
use serde_json::Value;

/// What one load measured.
#[derive(Clone, Debug, Serialize)]
pub struct Load {
    pub messages: f64,
    pub failed: f64,
    pub messages_per_s: f64,
    pub cpu_us_per_message: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub p99_9_us: f64,
    /// Cores the load generator kept busy; NaN (null in JSON) when another client made the load.
    pub generator_cores: f64,
}

/// A run that goes on.
pub struct Generator {
    child: Child,
    json: PathBuf,
}

impl Generator {
    /// `mqcontainer bench` with these arguments; its result goes through a file in `directory`, named after `name`.
    pub fn start<S: AsRef<OsStr>>(program: &Path, directory: &Path, name: &str, arguments: &[S]) -> Generator {
        let json = directory.join(format!("{name}.json"));
        let mut command = Command::new(program);
        command.arg("bench").args(arguments).arg("--json").arg(&json);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Generator { child, json }
    }

    /// Waits for its end; `None` when it failed, after showing why.
    pub fn load(self) -> Option<Load> {
        let output = self.child.wait_with_output().unwrap();
        if !output.status.success() {
            eprintln!("{}: {}", self.json.display(), String::from_utf8_lossy(&output.stderr));
            return None;
        }
        let report: Value = serde_json::from_slice(&fs::read(&self.json).unwrap()).unwrap();
        let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN);
        let errors = report.pointer("/result/errors").and_then(Value::as_object);
        Some(Load {
            messages: number("/result/messages"),
            failed: errors
                .map_or(0.0, |errors| errors.values().filter_map(Value::as_f64).fold(0.0, |sum, count| sum + count)),
            messages_per_s: number("/result/messages_per_s"),
            cpu_us_per_message: number("/server/cpu_us_per_message"),
            p50_us: number("/result/latency/p50_us"),
            p99_us: number("/result/latency/p99_us"),
            p99_9_us: number("/result/latency/p99_9_us"),
            generator_cores: number("/generator/cores"),
        })
    }
}

/// As `mqcontainer bench` takes times.
pub fn millis(seconds: f64) -> String {
    format!("{:.0}ms", seconds * 1000.0)
}
