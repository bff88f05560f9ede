//! Hosts, each a network namespace with one interface, and the wire between them, which is this process.
//!
//! ```text
//!  Test 198.18.0.1        Master 198.18.0.2        Slave 198.18.0.3
//!        |                        |                        |
//!       TUN ------- Wire::carry: lost? delayed? --------- TUN         one Way for each direction of each pair
//! ```
//!
//! The kernel's own netem is not on every machine, and its chance has no seed. Only to be used in a [`crate::world`].

use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_tun::Tun;

use crate::draws::Draws;
use crate::pair::Place;
use crate::support::Outcome;

/// A host, and the end of a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    Test,
    Master,
    Slave,
}

const HOSTS: [Host; 3] = [Host::Test, Host::Master, Host::Slave];

/// Of the network: addresses for benchmarks of networks (RFC 2544), which nobody routes.
const PREFIX: [u8; 3] = [198, 18, 0];
/// The first host's last byte.
const FIRST: u8 = 1;
const PACKET_BYTES: usize = 65_536;

/// What happens to packets in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// Of a hundred, how many are lost.
    pub loss: usize,
    /// Shortest and longest delay in milliseconds; who draws less overtakes.
    pub delay: (usize, usize),
}

impl Way {
    pub const CUT: Way = Way { loss: 100, delay: (0, 0) };
}

/// Namespaces and the wire between them.
pub struct Network {
    wire: Arc<Wire>,
    /// Processes that keep the namespaces of the other hosts alive.
    keepers: Vec<Child>,
}

impl Network {
    /// Three hosts and whole ways. Tasks of the runtime carry the packets.
    pub fn create(seed: u64) -> Outcome<Network> {
        let mut interfaces = Vec::new();
        let mut keepers = Vec::new();
        for host in HOSTS {
            interfaces.extend(Tun::builder().name(host.interface()).build()?);
            let namespace = match host {
                Host::Test => None,
                Host::Master | Host::Slave => Some(keep_namespace()?),
            };
            host.configure(namespace.as_ref().map(Child::id))?;
            keepers.extend(namespace);
        }
        let draws = Mutex::new(Draws::from_seed(seed));
        let wire = Arc::new(Wire { interfaces, ways: Mutex::default(), draws, harmed: AtomicUsize::new(0) });
        for host in HOSTS {
            tokio::spawn(Arc::clone(&wire).carry(host));
        }
        Ok(Network { wire, keepers })
    }

    /// Where processes of a host run.
    pub fn place(&self, host: Host) -> Place {
        let namespace_of = (host as usize).checked_sub(1).map(|keeper| self.keepers[keeper].id());
        Place { ip: host.ip(), namespace_of }
    }

    /// Changes one direction.
    pub fn set(&self, from: Host, to: Host, way: Way) {
        self.wire.ways.lock().unwrap()[from as usize][to as usize] = way;
    }

    /// Makes all ways whole; returns how many packets were lost or delayed since the last time.
    pub fn heal(&self) -> usize {
        *self.wire.ways.lock().unwrap() = Ways::default();
        self.wire.harmed.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for keeper in &mut self.keepers {
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
    }
}

impl Host {
    fn ip(self) -> Ipv4Addr {
        let [a, b, c] = PREFIX;
        Ipv4Addr::new(a, b, c, FIRST + self as u8)
    }

    fn interface(self) -> &'static str {
        match self {
            Host::Test => "test",
            Host::Master => "master",
            Host::Slave => "slave",
        }
    }

    /// Gives the interface its address, in the namespace of this process or of another one.
    fn configure(self, namespace_of: Option<u32>) -> Outcome<()> {
        let (name, address) = (self.interface(), format!("{}/24", self.ip()));
        let mut inside: Vec<String> = Vec::new();
        if let Some(process) = namespace_of {
            run(&["ip", "link", "set", "dev", name, "netns", &process.to_string()])?;
            inside = vec!["nsenter".into(), format!("--net=/proc/{process}/ns/net")];
        }
        for command in [
            ["ip", "address", "add", &address, "dev", name].as_slice(),
            &["ip", "link", "set", "dev", name, "up"],
            &["ip", "link", "set", "dev", "lo", "up"],
        ] {
            let whole: Vec<&str> = inside.iter().map(String::as_str).chain(command.iter().copied()).collect();
            run(&whole)?;
        }
        Ok(())
    }

    /// The host a packet is for; other packets are the kernel's own attempts to find routers.
    fn addressed_by(packet: &[u8]) -> Option<Host> {
        let header = packet.first_chunk::<20>()?;
        let host = header[19].checked_sub(FIRST)?;
        (header[0] >> 4 == 4 && header[16..19] == PREFIX).then(|| HOSTS.get(usize::from(host)).copied())?
    }
}

/// A process in a new namespace, which ends with this one because its input does.
fn keep_namespace() -> Outcome<Child> {
    let mut keeper =
        Command::new("unshare").args(["--net", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    // An echo comes from cat, when the namespace is there.
    keeper.stdin.as_mut().ok_or("no stdin")?.write_all(b"there?\n")?;
    BufReader::new(keeper.stdout.as_mut().ok_or("no stdout")?).read_line(&mut String::new())?;
    Ok(keeper)
}

fn run(command: &[&str]) -> Outcome<()> {
    let status = Command::new(command[0]).args(&command[1..]).status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

type Ways = [[Way; HOSTS.len()]; HOSTS.len()];

struct Wire {
    interfaces: Vec<Tun>,
    ways: Mutex<Ways>,
    draws: Mutex<Draws>,
    harmed: AtomicUsize,
}

impl Wire {
    /// Everything a host sends.
    async fn carry(self: Arc<Self>, from: Host) {
        let mut packet = vec![0; PACKET_BYTES];
        loop {
            let length = self.interfaces[from as usize].recv(&mut packet).await.unwrap();
            let Some(to) = Host::addressed_by(&packet[..length]) else { continue };
            match self.delay(from, to) {
                None => {}
                Some(Duration::ZERO) => self.deliver(to, &packet[..length]).await,
                Some(delay) => {
                    let (wire, packet) = (Arc::clone(&self), packet[..length].to_vec());
                    tokio::spawn(async move {
                        tokio::time::sleep(delay).await;
                        wire.deliver(to, &packet).await;
                    });
                }
            }
        }
    }

    /// How long a packet takes; `None` when it is lost.
    fn delay(&self, from: Host, to: Host) -> Option<Duration> {
        let way = self.ways.lock().unwrap()[from as usize][to as usize];
        let mut draws = self.draws.lock().unwrap();
        let lost = draws.between(0, 99) < way.loss;
        let millis = draws.between(way.delay.0, way.delay.1) as u64;
        self.harmed.fetch_add(usize::from(lost || millis > 0), Ordering::Relaxed);
        (!lost).then_some(Duration::from_millis(millis))
    }

    async fn deliver(&self, to: Host, packet: &[u8]) {
        self.interfaces[to as usize].send_all(packet).await.unwrap();
    }
}
