//! Processes: started, looked at through /proc, ended.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mqcontainer::env::Usage;
use rustix::process::{Pid, Signal, kill_process};

use super::ports;

/// A child that does not outlive its owner.
pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
    /// Of its `/metrics`, if it has them.
    http: Option<String>,
}

const STOPPED: Duration = Duration::from_secs(120);

impl Process {
    pub fn start(name: &str, directory: &Path, mut command: Command) -> Process {
        let log = directory.join(format!("{name}.log"));
        let file = File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).current_dir(directory);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Process { child, name: name.to_owned(), log, http: None }
    }

    pub fn with_http(mut self, address: String) -> Process {
        self.http = Some(address);
        self
    }

    pub fn http(&self) -> Option<&str> {
        self.http.as_deref()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the bench with the process's log when the process has ended.
    pub fn must_run(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "{} ended with {ended:?}\n{}", self.name, fs::read_to_string(&self.log).unwrap());
    }

    /// Takes no CPU until it is resumed; what clients send waits in its sockets.
    pub fn pause(&self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::STOP);
    }

    pub fn resume(&self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::CONT);
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.wait();
    }

    pub fn ask_to_stop(&self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }

    /// Kills it when it takes too long, so that a time to stop is this limit at most.
    pub fn wait(&mut self) {
        let deadline = Instant::now() + STOPPED;
        while self.child.try_wait().unwrap().is_none() {
            if Instant::now() >= deadline {
                eprintln!("{} does not stop within {STOPPED:?} and is killed", self.name);
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn usage(&self) -> Usage {
        Usage::of(self.pid()).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Resident memory.
#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
pub fn mebibytes(usage: &Usage) -> f64 {
    usage.resident_bytes as f64 / 1_048_576.0
}

/// A free port with its neighbours two below and one above, which a broker takes too.
pub fn free_port() -> u16 {
    ports::claim(&[-2, 0, 1])
}

/// The class path of stock servers and the load program, built by Maven.
pub fn java_class_path() -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/java");
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-java");
    let mut mvn = Command::new("mvn");
    mvn.args(["-B", "-q", "process-classes"]).arg(format!("-Dbench.build={}", build.display())).current_dir(source);
    let output = mvn.output().expect("Java's servers need mvn");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let jars = fs::read_to_string(build.join("classpath")).unwrap();
    format!("{}:{}", build.join("classes").display(), jars.trim())
}
