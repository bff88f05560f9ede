//! What a server process uses, from `/proc`.

use std::path::PathBuf;
use std::time::Duration;

use super::Error;
use crate::env::Disk;

/// Of utime and stime: `USER_HZ` is part of Linux's ABI and 100 on every architecture Rust runs on but Alpha.
const TICKS_PER_SECOND: u64 = 100;

/// A process at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// User and system time of all its threads so far, ended ones included.
    pub(super) cpu: Duration,
    /// Resident memory in bytes.
    pub(super) rss_bytes: u64,
    pub(super) threads: u64,
}

impl Usage {
    /// Two processes together.
    pub(super) fn plus(self, other: Usage) -> Usage {
        Usage {
            cpu: self.cpu + other.cpu,
            rss_bytes: self.rss_bytes + other.rss_bytes,
            threads: self.threads + other.threads,
        }
    }
}

/// The process as the kernel shows it now.
pub(super) fn usage(disk: &dyn Disk, pid: u32) -> Result<Usage, Error> {
    let failed = |reason: String| Error::Server { pid, reason };
    let read = |name: &str| {
        let path = PathBuf::from(format!("/proc/{pid}/{name}"));
        let content = disk.read(&path).map_err(|error| failed(format!("{}: {error}", path.display())))?;
        Ok(String::from_utf8_lossy(&content).into_owned())
    };
    parse(&read("stat")?, &read("status")?, TICKS_PER_SECOND)
        .ok_or_else(|| failed("/proc of this kernel is not understood".into()))
}

/// proc(5): `stat` fields 14 utime and 15 stime in ticks; `status` lines VmRSS in kB and Threads.
fn parse(stat: &str, status: &str, ticks_per_second: u64) -> Option<Usage> {
    // The command in field 2 may hold blanks and parentheses.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut times = after_name.split_ascii_whitespace().skip(11).map(|field| field.parse::<u64>().ok());
    let ticks = times.next()?? + times.next()??;
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    Some(Usage {
        cpu: Duration::from_millis(ticks * 1_000 / ticks_per_second),
        rss_bytes: value("VmRSS:")? * 1024,
        threads: value("Threads:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let check = |stat: &str, status: &str, expected| assert_eq!(parse(stat, status, 100), expected);
        let stat = "77 (a) b (c) S 1 77 77 0 -1 4194304 900 0 0 0 250 50 7 8 20 0 13 0 500 1000 300";
        let status = "Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t13\n";
        let expected = Usage { cpu: Duration::from_secs(3), rss_bytes: 2 * 1024 * 1024, threads: 13 };
        check(stat, status, Some(expected));
        check(stat, "Name:\tx\n", None);
        check("77 (x", status, None);
    }
}
