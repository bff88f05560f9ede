//! Rules between keys: role and id, replicas, ports and directories that nobody else may have.

use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use super::checked::{Broker, Config};
use super::error::{Error, Errors, PathCollision, Place, Warnings};
use super::values::Values;

/// What one broker's values must fulfil among themselves.
pub fn check_broker(values: &Values, errors: &mut Errors) {
    check_role(values, errors);
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

/// What one broker is asked for and cannot do well.
pub fn warn_broker(values: &Values, warnings: &mut Warnings) {
    const KEY: &str = "enableSlaveActingMaster";
    if values.bool(KEY) && values.text("brokerRole") == "SLAVE" && !values.bool("slaveReadEnable") {
        warnings.push(
            &values.place(KEY),
            KEY,
            "without slaveReadEnable an acting slave refuses the consumers sent to it",
        );
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
        ports.extend(broker_ports(other, bind));
        check_directories(&config.current_dir, other, new, errors);
    }
    for claim in broker_ports(new, bind) {
        check_claim(&ports, &claim, errors);
        ports.push(claim);
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
    [
        ("listenPort", "listenPort", ports.main),
        ("listenPort", "listenPort - 2", ports.fast),
        ("haListenPort", "haListenPort", ports.ha),
    ]
    .map(|(key, what, port)| PortClaim {
        ip,
        port,
        owner: format!("{what} of {}", broker.identity.name),
        place: if broker.values.stands(key) { broker.values.place(key) } else { broker.values.place("listenPort") },
    })
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
