//! A master and its slave, each a process with a store that outlives its kills, and the NameServer that both know.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::load;
use crate::support::process::Process;
use crate::support::{Outcome, Peer, broker_table, free_port, until};

/// On a machine whose disk is nearly full the oldest messages would go, and a slave that was parted could not go on.
const KEPT: &str = "cleanFileForciblyEnable = false\n";
/// Never a measure of speed.
const COPIED: Duration = Duration::from_secs(300);

/// Where a process runs.
#[derive(Clone, Copy)]
pub struct Place {
    pub ip: Ipv4Addr,
    /// A process in whose network namespace it runs; `None` for that of the test.
    pub namespace_of: Option<u32>,
}

impl Place {
    pub const LOOPBACK: Place = Place { ip: Ipv4Addr::LOCALHOST, namespace_of: None };
}

/// Where each of a pair's processes runs.
#[derive(Clone, Copy)]
pub struct Places {
    pub names: Place,
    pub master: Place,
    pub slave: Place,
}

impl Places {
    pub const LOOPBACK: Places = Places { names: Place::LOOPBACK, master: Place::LOOPBACK, slave: Place::LOOPBACK };
}

/// One of the processes.
pub struct Member {
    /// Of its broker, as lists of brokers are expected elsewhere.
    pub address: [String; 1],
    place: Place,
    file: PathBuf,
    store: PathBuf,
    process: Option<Process>,
}

impl Member {
    fn new(folder: &Path, name: &str, text: &str, (place, port): (Place, u16)) -> Outcome<Member> {
        let file = folder.join(format!("{name}.toml"));
        fs::write(&file, text)?;
        let address = [format!("{}:{port}", place.ip)];
        Ok(Member { address, place, file, store: folder.join(name), process: None })
    }

    /// Starts it and waits until it serves.
    pub fn start(&mut self) -> Outcome<()> {
        let program = env!("CARGO_BIN_EXE_mqcontainer");
        let mut command = match self.place.namespace_of {
            None => Command::new(program),
            // It becomes the program: a kill hits the right one.
            Some(process) => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--net=/proc/{process}/ns/net")).arg(program);
                command
            }
        };
        self.process = Some(Process::start(command.args(["--log", "error", "-c"]).arg(&self.file))?);
        Ok(())
    }

    /// The files of its log, oldest first.
    pub fn log_files(&self) -> Outcome<Vec<Vec<u8>>> {
        let entries = fs::read_dir(self.store.join("commitlog"))?;
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Outcome<Vec<PathBuf>>>()?;
        paths.sort();
        paths.into_iter().map(|path| Ok(fs::read(path)?)).collect()
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
    /// `more` lines go to both.
    pub async fn start(flush: &str, places: Places, more: &str) -> Outcome<Pair> {
        let folder = tempfile::tempdir()?;
        let path = folder.path();
        let (namesrv, master, slave) = (free_port(), free_port(), free_port());
        let container = |place: Place| {
            format!(
                "[container]\nlistenPort = {}\nbindAddress = \"{}\"\nnamesrvAddr = \"{}:{namesrv}\"\n",
                free_port(),
                place.ip,
                places.names.ip
            )
        };
        let kv = path.join("kvConfig.json");
        let names = format!("[namesrv]\nlistenPort = {namesrv}\nkvConfigPath = \"{}\"\n", kv.display());
        let broker = |place: Place, port, name: &str, role: &str| {
            format!(
                "{}{}{role}brokerIP1 = \"{ip}\"\nbrokerIP2 = \"{ip}\"\nstorePathRootDir = \"{}\"\n\
                 flushDiskType = \"{flush}\"\nmappedFileSizeCommitLog = \"2MiB\"\n{KEPT}totalReplicas = 2\n\
                 inSyncReplicas = 2\nslaveTimeout = 1000\n{more}",
                container(place),
                broker_table("a", port),
                path.join(name).display(),
                ip = place.ip,
            )
        };
        let as_slave = "brokerRole = \"SLAVE\"\nbrokerId = 1\nslaveReadEnable = true\n";
        let texts = [
            container(places.names) + &names,
            broker(places.master, master, "master", "brokerRole = \"SYNC_MASTER\"\n"),
            broker(places.slave, slave, "slave", as_slave),
        ];
        let mut pair = Pair {
            names: Member::new(path, "names", &texts[0], (places.names, namesrv))?,
            master: Member::new(path, "master", &texts[1], (places.master, master))?,
            slave: Member::new(path, "slave", &texts[2], (places.slave, slave))?,
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
