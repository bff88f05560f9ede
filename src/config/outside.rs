//! What the configuration needs from the machine, as values, so that this folder stays pure.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The machine as the configuration sees it.
pub struct Outside<'a> {
    /// Reads a whole text file.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Environment variables: NAMESRV_ADDR, ROCKETMQ_HOME and HOME are asked for.
    pub var: &'a dyn Fn(&str) -> Option<String>,
    /// The default of `brokerIP1`.
    pub local_address: IpAddr,
    /// What relative paths are relative to.
    pub current_dir: PathBuf,
    /// Processors this process may use.
    pub cores: usize,
}

impl Outside<'_> {
    /// HOME, or the working directory where there is none.
    pub(crate) fn home(&self) -> PathBuf {
        (self.var)("HOME").map_or_else(|| self.current_dir.clone(), PathBuf::from)
    }
}
