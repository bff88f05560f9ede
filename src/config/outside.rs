//! What the configuration needs from the machine, as values, so that this folder stays pure.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Reads a whole small file.
pub type ReadFile = Box<dyn Fn(&Path) -> io::Result<Vec<u8>> + Send + Sync>;
/// Looks up an environment variable.
pub type Variable = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The machine as the configuration sees it.
pub struct Outside {
    /// The one door to files.
    pub read: ReadFile,
    /// NAMESRV_ADDR, ROCKETMQ_HOME and HOME are asked for.
    pub var: Variable,
    /// The default of `brokerIP1`.
    pub local_address: IpAddr,
    /// What relative paths are relative to.
    pub current_dir: PathBuf,
    /// Processors this process may use.
    pub cores: usize,
}

impl Outside {
    /// HOME, or the working directory where there is none.
    pub(crate) fn home(&self) -> PathBuf {
        (self.var)("HOME").map_or_else(|| self.current_dir.clone(), PathBuf::from)
    }
}
