//! A container in a process of its own, which can be killed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::Outcome;

/// A running process; its end ends it.
pub struct Process {
    child: Child,
}

impl Process {
    /// Runs `command`, which runs a container, and waits until all its brokers serve.
    pub fn start(command: &mut Command) -> Outcome<Process> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take();
        let process = Process { child };
        let mut lines = BufReader::new(stdout.ok_or("no stdout")?);
        let mut table = String::new();
        while lines.read_line(&mut table)? > 0 {
            let last = table.lines().last().unwrap_or_default();
            let Some((serving, _)) = last.split_once(" brokers serve after ") else { continue };
            return match serving.split_once(" of ") {
                Some((serving, all)) if serving == all => Ok(process),
                _ => Err(format!("not all brokers serve:\n{table}").into()),
            };
        }
        Err(format!("the process ended before its brokers served:\n{table}").into())
    }

    /// SIGKILL: nothing is flushed, nothing is said.
    pub fn kill(mut self) -> Outcome<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and a clean end.
    pub fn stop(mut self) -> Outcome<()> {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("not a clean stop: {status}").into()) }
    }
}

impl Drop for Process {
    /// Whoever fails leaves no process behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
