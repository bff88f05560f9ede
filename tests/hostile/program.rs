//! The real program with small limits, its log in a file.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Outcome, broker_table, configuration, free_port};

/// Everything a peer can be idle or slow for; the program sweeps every eighth of it.
pub const IDLE: Duration = Duration::from_secs(5);

/// Bytes of requests that are not answered yet, the least the configuration allows.
pub const INBOUND_BYTES: usize = 16 << 20;

/// Connections the program admits.
pub const CONNECTIONS: usize = 3_500;

/// The size of a message, small so that breaking it is cheap.
pub const MESSAGE_MAX: usize = 1 << 20;

pub struct Program {
    folder: TempDir,
    process: Child,
    http: SocketAddr,
    /// A broker that does everything.
    pub open: String,
    /// A broker that takes no messages and makes no groups.
    pub strict: String,
    /// A broker that gives no messages out.
    pub mute: String,
    pub admin: String,
    pub namesrv: String,
}

impl Program {
    /// Starts it and waits until its brokers serve.
    pub fn start() -> Outcome<Program> {
        let folder = tempfile::tempdir()?;
        let [open, strict, mute, admin, namesrv, http] = std::array::from_fn(|_| free_port());
        let limits = "[broker.limits]\ninflight_bytes = \"8MiB\"\n";
        let tables = [
            broker_table("open", open) + &format!("maxMessageSize = {MESSAGE_MAX}\n") + limits,
            broker_table("strict", strict) + "brokerPermission = 4\nautoCreateSubscriptionGroup = false\n",
            broker_table("mute", mute) + "brokerPermission = 2\n",
        ];
        let text = configuration(folder.path(), admin, namesrv, &tables.concat())
            .replace("listen = \"127.0.0.1:0\"", &format!("listen = \"127.0.0.1:{http}\""))
            .replace(
                "bindAddress = ",
                &format!("serverChannelMaxIdleTimeSeconds = {}\nbindAddress = ", IDLE.as_secs()),
            );
        let limits = format!("\n[container.limits]\nconnections = {CONNECTIONS}\ninbound_bytes = {INBOUND_BYTES}\n");
        let file = folder.path().join("container.toml");
        std::fs::write(&file, text + &limits)?;
        let mut process = Command::new(env!("CARGO_BIN_EXE_mqcontainer"))
            .args(["--log", "info", "-c"])
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("log"))?)
            .spawn()?;
        let stdout = process.stdout.take().ok_or("no stdout")?;
        let address = |port: u16| format!("127.0.0.1:{port}");
        let program = Program {
            http: address(http).parse()?,
            open: address(open),
            strict: address(strict),
            mute: address(mute),
            admin: address(admin),
            namesrv: address(namesrv),
            folder,
            process,
        };
        let mut table = BufReader::new(stdout).lines();
        let ready = table.find_map(|line| line.ok().filter(|line| line.contains(" brokers serve after ")));
        assert!(ready.as_ref().is_some_and(|line| line.contains("3 of 3")), "{ready:?}\n{}", program.log()?);
        Ok(program)
    }

    /// The fast port that belongs to a port.
    pub fn fast(address: &str) -> Outcome<String> {
        let (host, port) = address.rsplit_once(':').ok_or("no port")?;
        Ok(format!("{host}:{}", port.parse::<u16>()? - 2))
    }

    /// GET of one page: status and body.
    pub async fn page(&self, path: &str) -> Outcome<(u16, String)> {
        crate::support::get(self.http, path).await
    }

    /// What it has logged so far.
    pub fn log(&self) -> Outcome<String> {
        Ok(std::fs::read_to_string(self.folder.path().join("log"))?)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The most memory it ever had, in bytes.
    pub fn memory_peak(&self) -> Outcome<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).ok_or("no VmHWM")?;
        Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse::<usize>()? << 10)
    }

    /// SIGTERM, and a clean end.
    pub fn stop(mut self) -> Outcome<()> {
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        let status = self.process.wait()?;
        assert!(status.success(), "{status}");
        Ok(())
    }
}

impl Drop for Program {
    /// A test that fails leaves no process behind.
    fn drop(&mut self) {
        if !matches!(self.process.try_wait(), Ok(Some(_))) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
