//! What processes use, as the kernel counts it.

use std::io;
use std::time::Duration;

/// Numbers of one process, or of several added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time, user and system.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub resident_bytes: u64,
    /// Threads.
    pub threads: u64,
}

impl Usage {
    /// What this process uses now.
    ///
    /// # Errors
    /// There is no `/proc` here.
    pub fn now() -> io::Result<Usage> {
        Usage::read("/proc/self/stat")
    }

    /// What another process uses now.
    ///
    /// # Errors
    /// There is no such process, or no `/proc` here.
    pub fn of(pid: u32) -> io::Result<Usage> {
        Usage::read(&format!("/proc/{pid}/stat"))
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Usage) -> Usage {
        Usage {
            cpu: self.cpu + other.cpu,
            resident_bytes: self.resident_bytes + other.resident_bytes,
            threads: self.threads + other.threads,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn read(path: &str) -> io::Result<Usage> {
        let stat = std::fs::read_to_string(path)?;
        let tick = rustix::param::clock_ticks_per_second();
        let page = rustix::param::page_size() as u64;
        parse(&stat, tick, page).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, path.to_owned()))
    }
}

/// proc_pid_stat(5): fields 14 and 15 are user and system time, 20 threads, 24 resident pages; the name in field 2 may hold spaces.
fn parse(stat: &str, ticks_per_second: u64, page_bytes: u64) -> Option<Usage> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let ticks = number(14)? + number(15)?;
    Some(Usage {
        cpu: Duration::from_millis(ticks.saturating_mul(1_000).checked_div(ticks_per_second)?),
        resident_bytes: number(24)? * page_bytes,
        threads: number(20)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_line() {
        let line = "77 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 13 0 99 1000000 512 18446744073709551615 1";
        let expected = Usage { cpu: Duration::from_secs(2), resident_bytes: 512 * 4096, threads: 13 };
        assert_eq!(parse(line, 100, 4096), Some(expected));
        assert_eq!(parse("", 100, 4096), None);
    }
}
