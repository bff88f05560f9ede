//! Rules between keys: role and id, replicas, ports and directories that nobody else may have.

use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use super::checked::{Broker, Config, Peer, member};
use super::error::{Error, Errors, PathCollision, Place, Warnings};
use super::values::Values;

/// What one broker's values must fulfil among themselves.
pub fn check_broker(values: &Values, errors: &mut Errors) {
    if values.bool("enableDLegerCommitLog") {
        check_member(values, errors);
    } else {
        check_role(values, errors);
    }
    check_replicas(values, errors);
    check_addresses(values, errors);
    check_store_paths(values, errors);
}

fn check_role(values: &Values, errors: &mut Errors) {
    let role = values.text("brokerRole");
    let id: i64 = values.number("brokerId");
    if role == "SLAVE" {
        if id == 0 {
            errors.push(Error::Contradiction {
                place: values.place("brokerId"),
                what: "brokerRole = SLAVE with brokerId = 0: the id of a slave is greater than 0".into(),
            });
        }
    } else if id != 0 {
        errors.push(Error::Contradiction {
            place: values.place("brokerId"),
            what: format!("brokerRole = {role} with brokerId = {id}: the id of a master is 0"),
        });
    }
}

fn check_replicas(values: &Values, errors: &mut Errors) {
    let [total, in_sync, min] =
        ["totalReplicas", "inSyncReplicas", "minInSyncReplicas"].map(|key| (key, values.number::<i64>(key)));
    for ((small, few), (large, many)) in [(in_sync, total), (min, in_sync)] {
        if few > many {
            errors.push(Error::Contradiction {
                place: values.place(small),
                what: format!("{small} = {few} is more than {large} = {many}"),
            });
        }
    }
}

/// Most members of one DLedger group; each heartbeat and each byte goes to all of them.
const MEMBERS_MAX: usize = 15;

fn check_member(values: &Values, errors: &mut Errors) {
    let mut object = |key: &str, what: String| {
        errors.push(Error::Contradiction { place: values.place(key), what });
    };
    if !values.bool("raft.unsafe_raft") {
        let what = "enableDLegerCommitLog = true: what is to be proved about DLedger brokers has not been proved yet; \
                    unsafe_raft = true in [broker.raft] or [defaults.raft] starts them all the same";
        object("enableDLegerCommitLog", what.into());
    }
    if values.bool("enableSlaveActingMaster") {
        let what = "enableSlaveActingMaster with enableDLegerCommitLog: a DLedger group elects its leader";
        object("enableSlaveActingMaster", what.into());
    }
    let peers: Vec<Peer> = values.list("dLegerPeers").iter().filter_map(|text| Peer::parse(text)).collect();
    if peers.is_empty() || peers.len() > MEMBERS_MAX {
        let found = peers.len();
        return object(
            "dLegerPeers",
            format!("dLegerPeers has {found} members: a DLedger group has 1 to {MEMBERS_MAX}"),
        );
    }
    for (index, peer) in peers.iter().enumerate() {
        let before = &peers[..index];
        if before.iter().any(|other| other.member == peer.member) {
            object("dLegerPeers", format!("dLegerPeers has two members with the number {}", peer.member));
        }
        if before.iter().any(|other| other.address == peer.address) {
            object("dLegerPeers", format!("dLegerPeers has two members at {}", peer.address));
        }
    }
    let is_peer = |id: &str| member(id).is_some_and(|number| peers.iter().any(|peer| peer.member == number));
    match values.text("dLegerSelfId") {
        "" => {
            object("dLegerSelfId", "enableDLegerCommitLog without dLegerSelfId: which of dLegerPeers is this?".into())
        }
        own if !is_peer(own) => object("dLegerSelfId", format!("dLegerSelfId = {own} is not among dLegerPeers")),
        _ => {}
    }
    let learners = values.list("raft.learners");
    for (key, ids) in [("preferredLeaderId", values.list("preferredLeaderId")), ("raft.learners", learners.clone())] {
        for id in ids.iter().filter(|id| !is_peer(id)) {
            object(key, format!("{key} = {id} is not among dLegerPeers"));
        }
        for id in ids.iter().filter(|id| key == "preferredLeaderId" && learners.contains(id)) {
            object(key, format!("{key} = {id} is one of raft.learners: it never leads"));
        }
    }
    let is_learner = |peer: &Peer| learners.iter().any(|id| member(id) == Some(peer.member));
    if peers.iter().all(is_learner) {
        object("raft.learners", "raft.learners has all of dLegerPeers: nobody can lead".into());
    }
    let heartbeat: u64 = values.number("raft.heartbeat_millis");
    let shortest = values.list("raft.election_timeout_millis").first().and_then(|text| text.parse::<u64>().ok());
    if shortest.is_some_and(|shortest| shortest < 2 * heartbeat) {
        let what = format!(
            "raft.election_timeout_millis begins below two heartbeats of {heartbeat} ms: one lost letter would end a leader"
        );
        object("raft.election_timeout_millis", what);
    }
}

/// What one broker is asked for and cannot do well.
pub fn warn_broker(values: &Values, warnings: &mut Warnings) {
    if values.bool("enableDLegerCommitLog") {
        warn_member(values, warnings);
    }
    const KEY: &str = "enableSlaveActingMaster";
    if values.bool(KEY) && values.text("brokerRole") == "SLAVE" && !values.bool("slaveReadEnable") {
        warnings.push(
            &values.place(KEY),
            KEY,
            "without slaveReadEnable an acting slave refuses the consumers sent to it",
        );
    }
}

fn warn_member(values: &Values, warnings: &mut Warnings) {
    let ignored = [
        ("brokerRole", "ignored with enableDLegerCommitLog: the group elects its leader"),
        ("brokerId", "ignored with enableDLegerCommitLog: the number of dLegerSelfId counts"),
        ("haListenPort", "ignored with enableDLegerCommitLog: the port in dLegerPeers counts"),
    ];
    for (key, remark) in ignored {
        if values.stands(key) {
            warnings.push(&values.place(key), key, remark);
        }
    }
    if values.text("dLegerGroup") != values.text("brokerName") {
        const REMARK: &str = "differs from brokerName, by which clients know the group";
        warnings.push(&values.place("dLegerGroup"), "dLegerGroup", REMARK);
    }
}

fn check_addresses(values: &Values, errors: &mut Errors) {
    for key in ["brokerIP1", "brokerIP2"] {
        let ip = values.ip(key);
        if ip.is_unspecified() {
            let what =
                format!("{key} = {ip}: others cannot connect to it; where to listen is bindAddress of [container]");
            errors.push(Error::Contradiction { place: values.place(key), what });
        }
    }
}

/// A port that listens on loopback only is of no use under an address elsewhere.
pub fn warn_unreachable(config: &Config, warnings: &mut Warnings) {
    const REMARK: &str = "clients elsewhere are told this address, but bindAddress of [container] is loopback";
    for broker in &config.brokers {
        if config.container.bind.is_loopback() && !broker.addresses.client.is_loopback() {
            warnings.push(&broker.values.place("brokerIP1"), "brokerIP1", REMARK);
        }
    }
}

/// The commit log may be anywhere but where the broker keeps something else.
fn check_store_paths(values: &Values, errors: &mut Errors) {
    let root = values.path("storePathRootDir");
    let log = values.path("storePathCommitLog");
    let place = values.place("storePathCommitLog");
    if log.to_string_lossy().contains(',') {
        errors.push(Error::Unsupported {
            place,
            key: "storePathCommitLog",
            value: log.display().to_string(),
            why: "several directories for one commit log are not supported",
        });
        return;
    }
    let (root, log) = (normalize(&root), normalize(&log));
    let taken = ["consumequeue", "index", "config"].map(|name| root.join(name));
    if root.starts_with(&log) || taken.iter().any(|dir| log.starts_with(dir)) {
        errors.push(Error::Contradiction {
            place,
            what: format!(
                "storePathCommitLog = {} holds other files of storePathRootDir = {}",
                log.display(),
                root.display()
            ),
        });
    }
}

/// Whether `new` can run beside the container's own ports and the brokers that are there: identity, ports, directories.
pub fn check_neighbours<'a>(
    config: &Config,
    others: impl IntoIterator<Item = &'a Broker>,
    new: &Broker,
    errors: &mut Errors,
) {
    let bind = config.container.bind;
    let mut ports = process_ports(config);
    for other in others {
        if other.identity == new.identity {
            errors.push(Error::DuplicateIdentity {
                place: new.values.place("brokerName"),
                identity: new.identity.to_string(),
                first: other.values.place("brokerName"),
            });
            // Their ports and directories are most likely equal too; one error says enough.
            continue;
        }
        if (&other.identity.name, other.identity.id) == (&new.identity.name, new.identity.id) {
            let (name, cluster) = (&new.identity.name, &other.identity.cluster);
            let what =
                format!("brokerName = {name} is taken in {cluster} too: NameServers know brokers by name and id only");
            errors.push(Error::Contradiction { place: new.values.place("brokerName"), what });
        }
        check_groups(other, new, errors);
        ports.extend(broker_ports(other, bind));
        check_directories(&config.current_dir, other, new, errors);
    }
    for claim in broker_ports(new, bind) {
        check_claim(&ports, &claim, errors);
        ports.push(claim);
    }
}

/// The brokers of one name are one DLedger group or none, and a DLedger group has one name.
fn check_groups(other: &Broker, new: &Broker, errors: &mut Errors) {
    let name = |broker: &Broker| (broker.identity.cluster.clone(), broker.identity.name.clone());
    let group = |broker: &Broker| broker.dledger.as_ref().map(|member| member.group.clone());
    let shown = |broker: &Broker| match group(broker) {
        Some(group) => format!("in DLedger group {group}"),
        None => "in no DLedger group".to_owned(),
    };
    let (here, there) = (group(new), group(other));
    if name(other) == name(new) && here != there {
        let what = format!("brokerName = {} is {} here and {} too", new.identity.name, shown(new), shown(other));
        errors.push(Error::Contradiction { place: new.values.place("brokerName"), what });
    }
    if let (true, Some(group)) = (name(other) != name(new) && here == there, here) {
        let what = format!("dLegerGroup = {group} is that of brokerName = {} too", other.identity.name);
        errors.push(Error::Contradiction { place: new.values.place("dLegerGroup"), what });
    }
}

/// The ports of the process itself must differ too.
pub fn check_process_ports(config: &Config, errors: &mut Errors) {
    let mut ports = Vec::new();
    for claim in process_ports(config) {
        check_claim(&ports, &claim, errors);
        ports.push(claim);
    }
}

/// Somebody listens on a port.
struct PortClaim {
    ip: IpAddr,
    port: u16,
    owner: String,
    place: Place,
}

fn check_claim(taken: &[PortClaim], claim: &PortClaim, errors: &mut Errors) {
    let collides = |other: &&PortClaim| {
        let same_ip = other.ip == claim.ip || other.ip.is_unspecified() || claim.ip.is_unspecified();
        other.port == claim.port && same_ip
    };
    if let Some(other) = taken.iter().find(collides) {
        errors.push(Error::PortCollision {
            place: claim.place.clone(),
            port: claim.port,
            owner: claim.owner.clone(),
            other: other.owner.clone(),
            first: other.place.clone(),
        });
    }
}

fn process_ports(config: &Config) -> Vec<PortClaim> {
    let container = &config.container;
    let claim = |ip, port, owner: &str, place| PortClaim { ip, port, owner: owner.to_owned(), place };
    let place = container.values.place("listenPort");
    let (main, fast) = (container.ports.main, container.ports.fast);
    let mut ports = vec![
        claim(container.bind, main, "listenPort of [container]", place.clone()),
        claim(container.bind, fast, "listenPort - 2 of [container]", place),
    ];
    if let Some(namesrv) = &config.namesrv {
        let place = namesrv.values.place("listenPort");
        ports.push(claim(namesrv.bind, namesrv.port, "listenPort of [namesrv]", place));
    }
    if let Some(http) = &config.http {
        let place = http.values.place("listen");
        let (ip, port) = (http.listen.ip(), http.listen.port());
        ports.push(claim(ip, port, "listen of [http]", place));
    }
    ports
}

fn broker_ports(broker: &Broker, ip: IpAddr) -> [PortClaim; 3] {
    let ports = broker.ports;
    let members = match &broker.dledger {
        Some(_) => ("dLegerPeers", "the port in dLegerPeers", ports.ha),
        None => ("haListenPort", "haListenPort", ports.ha),
    };
    [("listenPort", "listenPort", ports.main), ("listenPort", "listenPort - 2", ports.fast), members].map(
        |(key, what, port)| PortClaim {
            ip,
            port,
            owner: format!("{what} of {}", broker.identity.name),
            place: if broker.values.stands(key) { broker.values.place(key) } else { broker.values.place("listenPort") },
        },
    )
}

/// Reports the first pair of directories of two brokers that are equal or nested.
fn check_directories(current_dir: &Path, other: &Broker, new: &Broker, errors: &mut Errors) {
    let directories = |broker: &Broker| {
        [("storePathRootDir", &broker.store.root), ("storePathCommitLog", &broker.store.commit_log)]
            .map(|(key, path)| (key, normalize(&current_dir.join(path))))
    };
    let owner = |key: &str, broker: &Broker| format!("{key} of {}", broker.identity.name);
    for (key, path) in directories(new) {
        for (other_key, other_path) in directories(other) {
            let relation = if path == other_path {
                "the same as"
            } else if path.starts_with(&other_path) {
                "inside"
            } else if other_path.starts_with(&path) {
                "around"
            } else {
                continue;
            };
            errors.push(Error::PathCollision(Box::new(PathCollision {
                place: new.values.place(key),
                path,
                owner: owner(key, new),
                relation,
                other_path,
                other: owner(other_key, other),
                first: other.values.place(other_key),
            })));
            return;
        }
    }
}

/// `path` without `.` and with `..` taken back, by text alone: symbolic links are not followed, because the
/// directories need not exist yet.
fn normalize(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => drop(out.pop()),
            Component::ParentDir if out.has_root() => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalized_by_text() {
        let cases = [("/a/./b/../c", "/a/c"), ("/../a", "/a"), ("../a/..", ".."), ("a//b/", "a/b")];
        for (path, expected) in cases {
            assert_eq!(normalize(Path::new(path)), PathBuf::from(expected));
        }
    }
}
