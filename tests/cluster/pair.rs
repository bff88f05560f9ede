//! A master and its slave, each a process with a store that outlives its kills, and the NameServer that both know.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::load;
use crate::support::process::Process;
use crate::support::{Outcome, Peer, broker_table, free_port, until};

/// Never a measure of speed.
const COPIED: Duration = Duration::from_secs(300);

/// One of the processes.
pub struct Member {
    /// Of its broker, as lists of brokers are expected elsewhere.
    pub address: [String; 1],
    file: PathBuf,
    store: PathBuf,
    process: Option<Process>,
}

impl Member {
    fn new(folder: &Path, name: &str, text: &str, port: u16) -> Outcome<Member> {
        let file = folder.join(format!("{name}.toml"));
        fs::write(&file, text)?;
        Ok(Member { address: [format!("127.0.0.1:{port}")], file, store: folder.join(name), process: None })
    }

    /// Starts it and waits until it serves.
    pub fn start(&mut self) -> Outcome<()> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mqcontainer"));
        self.process = Some(Process::start(command.args(["--log", "error", "-c"]).arg(&self.file))?);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Outcome<()> {
        self.process.take().ok_or("not running")?.kill()
    }

    fn stop(&mut self) -> Outcome<()> {
        self.process.take().ok_or("not running")?.stop()
    }
}

pub struct Pair {
    pub master: Member,
    pub slave: Member,
    names: Member,
    _folder: TempDir,
}

impl Pair {
    /// Starts the three, with small segments so that files roll, and makes the topics of the load known to both brokers.
    pub async fn start(flush: &str) -> Outcome<Pair> {
        let folder = tempfile::tempdir()?;
        let path = folder.path();
        let (namesrv, master, slave) = (free_port(), free_port(), free_port());
        let container = || {
            let names = format!("namesrvAddr = \"127.0.0.1:{namesrv}\"");
            format!("[container]\nlistenPort = {}\nbindAddress = \"127.0.0.1\"\n{names}\n", free_port())
        };
        let kv = path.join("kvConfig.json");
        let names = format!("[namesrv]\nlistenPort = {namesrv}\nkvConfigPath = \"{}\"\n", kv.display());
        let broker = |port, name: &str, role: &str| {
            format!(
                "{}{}{role}brokerIP1 = \"127.0.0.1\"\nstorePathRootDir = \"{}\"\nflushDiskType = \"{flush}\"\n\
                 mappedFileSizeCommitLog = \"2MiB\"\ntotalReplicas = 2\ninSyncReplicas = 2\nslaveTimeout = 1000\n",
                container(),
                broker_table("a", port),
                path.join(name).display()
            )
        };
        let as_slave = "brokerRole = \"SLAVE\"\nbrokerId = 1\nslaveReadEnable = true\n";
        let mut pair = Pair {
            names: Member::new(path, "names", &(container() + &names), namesrv)?,
            master: Member::new(path, "master", &broker(master, "master", "brokerRole = \"SYNC_MASTER\"\n"), master)?,
            slave: Member::new(path, "slave", &broker(slave, "slave", as_slave), slave)?,
            _folder: folder,
        };
        pair.names.start()?;
        pair.master.start()?;
        pair.slave.start()?;
        pair.create_topics().await?;
        Ok(pair)
    }

    /// Topics travel beside the log; a slave could not give out messages of a topic it has not heard of yet.
    async fn create_topics(&self) -> Outcome<()> {
        let (client, queues) = (Peer::new(), i32::try_from(load::QUEUES)?);
        for topic in (0..load::TOPICS).map(load::topic) {
            load::create_topic(&client, &self.master.address[0], &topic, queues).await?;
            until(&format!("the slave knows {topic}"), || async {
                load::queues_of(&client, &self.slave.address[0], &topic).await.is_ok_and(|known| known == queues)
            })
            .await;
        }
        Ok(())
    }

    /// Both brokers in one of the two orders.
    pub fn members(&mut self, slave_first: bool) -> (&mut Member, &mut Member) {
        if slave_first { (&mut self.slave, &mut self.master) } else { (&mut self.master, &mut self.slave) }
    }

    /// Waits until the slave's log is the master's, byte for byte.
    pub async fn logs_become_equal(&self) {
        let deadline = Instant::now() + COPIED;
        let [master, slave] = [&self.master, &self.slave].map(|member| member.store.join("commitlog"));
        while let Some(difference) = difference(&master, &slave) {
            assert!(Instant::now() < deadline, "{difference}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Stops all in order.
    pub fn stop(mut self) -> Outcome<()> {
        self.slave.stop()?;
        self.master.stop()?;
        self.names.stop()
    }
}

/// Where two commit logs differ. A file that is there on one side only was made ahead: it must be empty.
fn difference(master: &Path, slave: &Path) -> Option<String> {
    let names = |folder: &Path| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let mut written = false;
    for name in &names(master) | &names(slave) {
        let [mut one, mut other] = [master, slave].map(|folder| fs::read(folder.join(&name)).unwrap_or_default());
        let length = one.len().max(other.len());
        one.resize(length, 0);
        other.resize(length, 0);
        if let Some(index) = (0..length).find(|index| one[*index] != other[*index]) {
            return Some(format!("{name} differs at {index} of {length}"));
        }
        written |= one.iter().any(|byte| *byte != 0);
    }
    (!written).then(|| "nothing is written".to_owned())
}
