//! Where a result was measured, and with which source.

use std::path::Path;
use std::process::Command;

use serde::Serialize;

use crate::env::Disk;

/// The machine under the load generator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Machine {
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) kernel: String,
}

impl Machine {
    /// What the kernel says; "unknown" where it says nothing.
    pub(super) fn read(disk: &dyn Disk) -> Machine {
        let text = |path: &str| {
            let content = disk.read(Path::new(path)).unwrap_or_default();
            String::from_utf8_lossy(&content).into_owned()
        };
        let kernel = text("/proc/sys/kernel/osrelease");
        Machine {
            cpu: model(&text("/proc/cpuinfo")).unwrap_or_else(|| "unknown".into()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: if kernel.is_empty() { "unknown".into() } else { kernel.trim().into() },
        }
    }
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, model)| model.trim().to_owned())
}

/// The commit of the source this program was built from, with "-dirty" when it was changed; "unknown" without git or without the source.
pub(super) fn revision() -> String {
    let git = Command::new("git")
        .args(["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
        .output();
    match git {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_in_cpuinfo() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(model(text).as_deref(), expected);
        check("processor\t: 0\nmodel name\t: Fast CPU @ 2 GHz\nmodel name\t: other\n", Some("Fast CPU @ 2 GHz"));
        check("processor\t: 0\n", None);
    }
}
