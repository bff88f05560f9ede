//! The program as a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child as Process, ChildStdout, Command, ExitStatus, Stdio};

use tempfile::TempDir;

use crate::support::{Outcome, broker_table, configuration, free_port};

pub struct Child {
    process: Process,
    stdout: BufReader<ChildStdout>,
    _folder: TempDir,
}

impl Child {
    /// Starts `mqcontainer` with so many brokers.
    pub fn start(brokers: usize) -> Outcome<Child> {
        let tables: String = (0..brokers).map(|number| broker_table(&format!("b{number}"), free_port())).collect();
        Child::start_with(&tables)
    }

    pub fn start_with(tables: &str) -> Outcome<Child> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("container.toml");
        std::fs::write(&file, configuration(folder.path(), free_port(), free_port(), tables))?;
        let mut process = Command::new(env!("CARGO_BIN_EXE_mqcontainer"))
            .args(["--log", "warn", "-c"])
            .arg(&file)
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().ok_or("no stdout")?;
        Ok(Child { process, stdout: BufReader::new(stdout), _folder: folder })
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Reads the table to its last line, or to the end of a process that does not start; returns it.
    pub fn wait_until_ready(&mut self) -> Outcome<String> {
        let mut table = String::new();
        while self.stdout.read_line(&mut table)? > 0 {
            if table.lines().last().is_some_and(|line| line.contains(" brokers serve after ")) {
                break;
            }
        }
        Ok(table)
    }

    /// SIGTERM, and the end.
    pub fn stop(mut self) -> Outcome<ExitStatus> {
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        Ok(self.process.wait()?)
    }

    /// The end of a process that ends by itself.
    pub fn ended(mut self) -> Outcome<ExitStatus> {
        Ok(self.process.wait()?)
    }
}

impl Drop for Child {
    /// A test that fails leaves no process behind.
    fn drop(&mut self) {
        if !matches!(self.process.try_wait(), Ok(Some(_))) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
