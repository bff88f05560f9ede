//! Where and when something was measured.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// The machine, the source and the time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Of the measurement's end, UTC.
    pub date: String,
    /// Commit, with "-dirty" when files were changed.
    pub revision: String,
    pub cpu: String,
    pub cores: usize,
    pub kernel: String,
}

impl Machine {
    pub fn now() -> Machine {
        let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model =
            model.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, model)| model);
        let root = env!("CARGO_MANIFEST_DIR");
        Machine {
            date: output("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"]),
            revision: output("git", &["-C", root, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]),
            cpu: model.unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: output("uname", &["-r"]),
        }
    }

    /// One line under tables and pictures.
    pub fn line(&self) -> String {
        let Machine { date, revision, cpu, cores, kernel } = self;
        format!("{cpu}, {cores} cores, Linux {kernel}, revision {revision}, {date}")
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(|_| "unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Of the last minute, to judge how much else was going on.
pub fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}
