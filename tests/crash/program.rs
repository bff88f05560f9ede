//! The program with one store that outlives its kills.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{Outcome, broker_table, configuration, free_port};

pub struct Program {
    folder: TempDir,
    file: PathBuf,
    running: Option<Child>,
    /// Addresses of its brokers.
    pub brokers: Vec<String>,
}

impl Program {
    /// Two brokers with small segments, so that files roll and recovery has several to read.
    pub fn new(flush: &str) -> Outcome<Program> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("container.toml");
        let ports = [free_port(), free_port()];
        let table = |(number, port): (usize, &u16)| {
            let table = broker_table(&format!("b{number}"), *port);
            format!(
                "{table}flushDiskType = \"{flush}\"\nmappedFileSizeCommitLog = \"2MiB\"\nmessageDelayLevel = \"1s 2s\"\n\
                 cleanFileForciblyEnable = false\n"
            )
        };
        let tables: String = ports.iter().enumerate().map(table).collect();
        let text = configuration(folder.path(), free_port(), free_port(), &tables);
        // The common configuration names a size under [defaults] too; a broker's own wins.
        std::fs::write(&file, text)?;
        let brokers = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        Ok(Program { folder, file, running: None, brokers })
    }

    /// Starts it and waits until its brokers serve.
    pub fn start(&mut self) -> Outcome<()> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mqcontainer"))
            .args(["--log", "error", "-c"])
            .arg(&self.file)
            .current_dir(self.folder.path())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        self.running = Some(child);
        let mut table = String::new();
        while lines.read_line(&mut table)? > 0 {
            if table.lines().last().is_some_and(|line| line.contains(" brokers serve after ")) {
                assert!(table.contains("2 of 2 brokers serve"), "{table}");
                return Ok(());
            }
        }
        Err(format!("the program ended before its brokers served:\n{table}").into())
    }

    /// SIGKILL: nothing is flushed, nothing is said.
    pub fn kill(&mut self) -> Outcome<()> {
        let mut child = self.running.take().ok_or("not running")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// SIGTERM, and a clean end.
    pub fn stop(mut self) -> Outcome<()> {
        let mut child = self.running.take().ok_or("not running")?;
        let id = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        assert!(child.wait()?.success(), "a clean stop exits with 0");
        Ok(())
    }
}

impl Drop for Program {
    /// A test that fails leaves no process behind.
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
