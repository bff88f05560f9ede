//! Members of DLedger groups.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{lines, load, machine};
use crate::config::{Broker, Config, Dledger, Peer, Ports, Role, summary};

/// The file that comes with Java, with what a real one has besides.
const STOCK: &str = "\
brokerClusterName = RaftCluster
brokerName=RaftNode00
listenPort=30911
storePathRootDir=/tmp/rmqstore/node00
storePathCommitLog=/tmp/rmqstore/node00/commitlog
enableDLegerCommitLog=true
dLegerGroup=RaftNode00
dLegerPeers=n0-127.0.0.1:40911;n1-my-host:40912;n2-[::1]:40913
## must be unique
dLegerSelfId=n0
";

/// Two members of one process.
const PAIR: &str = "\
[defaults]
brokerName = \"g\"
enableDLegerCommitLog = true
dLegerPeers = [\"n1-h:2\", \"n0-h:1\"]
storePathRootDir = \"d/${brokerName}-${brokerId}\"
raft.unsafe_raft = true
[[broker]]
dLegerSelfId = \"n0\"
listenPort = 10911
[[broker]]
dLegerSelfId = \"n1\"
listenPort = 20911
";

fn config(text: &str) -> Config {
    match load(text, &machine(&[("n0.conf", STOCK)], &[])) {
        Ok((config, _)) => config,
        Err(errors) => panic!("{errors}"),
    }
}

/// What the user sees of the one broker that has these lines besides a name.
fn check(lines_of_broker: &str, expected: &[&str]) {
    let text = format!(
        "[[broker]]\nbrokerName = \"g\"\nenableDLegerCommitLog = true\nraft.unsafe_raft = true\n{lines_of_broker}"
    );
    assert_eq!(lines(load(&text, &machine(&[], &[]))), expected, "{text}");
}

fn peer(member: u32, address: &str) -> Peer {
    Peer { member, address: address.to_owned() }
}

#[test]
fn a_stock_java_file_is_a_member() {
    let refused = lines(load("[[broker]]\ninclude = \"n0.conf\"", &machine(&[("n0.conf", STOCK)], &[])));
    let expected = "n0.conf:6: enableDLegerCommitLog = true: what is to be proved about DLedger brokers has not been proved yet; \
                    unsafe_raft = true in [broker.raft] or [defaults.raft] starts them all the same";
    assert_eq!(refused, [expected]);
    let text = "[defaults.raft]\nunsafe_raft = true\n[[broker]]\ninclude = \"n0.conf\"";
    let broker: Broker = config(text).brokers.remove(0);
    assert_eq!(broker.identity.to_string(), "RaftCluster_RaftNode00_0");
    assert_eq!(broker.role, Role::Dledger);
    assert_eq!(broker.ports, Ports { main: 30911, fast: 30909, ha: 40911 });
    assert_eq!(broker.store.root, PathBuf::from("/tmp/rmqstore/node00"));
    let java = Dledger {
        group: "RaftNode00".into(),
        me: 0,
        peers: vec![peer(0, "127.0.0.1:40911"), peer(1, "my-host:40912"), peer(2, "[::1]:40913")],
        preferred: vec![],
        learners: vec![],
        heartbeat: Duration::from_millis(200),
        election_min: Duration::from_secs(1),
        election_max: Duration::from_secs(2),
    };
    assert_eq!(broker.dledger, Some(java));
}

#[test]
fn members_of_one_process_have_directories_and_ids_of_their_own() {
    let config = config(PAIR);
    let expected = "\
container   0.0.0.0:10811 and 10809
registers   nowhere

BROKER  CLUSTER         ROLE     ADDRESS         FAST   HA  FLUSH  STORE
g-0     DefaultCluster  DLEDGER  10.0.0.7:10911  10909  1   async  d/g-0
g-1     DefaultCluster  DLEDGER  10.0.0.7:20911  20909  2   async  d/g-1
";
    assert_eq!(summary(&config), expected);
    let member = config.brokers[1].dledger.as_ref().expect("a member");
    assert_eq!((member.own(), member.peer(7)), (Some(&peer(1, "h:2")), None));
}

#[test]
fn all_keys_are_read() {
    let text = "\
[[broker]]
brokerName = \"g\"
enableDLegerCommitLog = true
dLegerGroup = \"other\"
dLegerPeers = \"n7-h:1; b3-h:2;n4-h:3;\"
dLegerSelfId = \"n4\"
preferredLeaderId = \"n7;n4\"
[broker.raft]
heartbeat_millis = 20
election_timeout_millis = [100, \"1s\"]
learners = [\"n3\"]
unsafe_raft = true
";
    let member = config(text).brokers.remove(0).dledger.expect("a member");
    assert_eq!(member.voters().collect::<Vec<_>>(), [4, 7]);
    let expected = Dledger {
        group: "other".into(),
        me: 4,
        peers: vec![peer(3, "h:2"), peer(4, "h:3"), peer(7, "h:1")],
        preferred: vec![7, 4],
        learners: vec![3],
        heartbeat: Duration::from_millis(20),
        election_min: Duration::from_millis(100),
        election_max: Duration::from_secs(1),
    };
    assert_eq!(member, expected);
}

#[test]
fn a_member_must_be_one_of_the_group() {
    check("dLegerPeers = \"n0-h:1\"\ndLegerSelfId = \"n0\"", &[]);
    check("", &["container.toml:1: dLegerPeers has 0 members: a DLedger group has 1 to 15"]);
    check(
        "dLegerPeers = \"n0-h:1\"",
        &["container.toml:1: enableDLegerCommitLog without dLegerSelfId: which of dLegerPeers is this?"],
    );
    check(
        "dLegerPeers = \"n0-h:1\"\ndLegerSelfId = \"n1\"",
        &["container.toml:6: dLegerSelfId = n1 is not among dLegerPeers"],
    );
    check(
        "dLegerPeers = \"n0-h:1\"\ndLegerSelfId = 0",
        &["container.toml:6: dLegerSelfId = 0: expected id such as n0"],
    );
    for wrong in ["n0-h", "n0-h:0", "n0-:1", "0-h:1", "n-h:1", "nx-h:1", "n0:1", "n4294967296-h:1"] {
        let what = format!(
            "container.toml:5: dLegerPeers = {wrong:?}: expected list of n0-host:port, or one text separated by ;"
        );
        check(&format!("dLegerPeers = {wrong:?}\ndLegerSelfId = \"n0\""), &[&what]);
    }
    check(
        "dLegerPeers = \"n0-h:1;n0-h:2;b0-h:1\"\ndLegerSelfId = \"n0\"",
        &[
            "container.toml:5: dLegerPeers has two members with the number 0",
            "container.toml:5: dLegerPeers has two members at h:1",
        ],
    );
    check(
        "dLegerPeers = \"n0-h:1;n1-h:2\"\ndLegerSelfId = \"n0\"\npreferredLeaderId = \"n2;n1\"\nraft.learners = \"n1;n3\"",
        &[
            "container.toml:7: preferredLeaderId = n2 is not among dLegerPeers",
            "container.toml:7: preferredLeaderId = n1 is one of raft.learners: it never leads",
            "container.toml:8: raft.learners = n3 is not among dLegerPeers",
        ],
    );
    check(
        "dLegerPeers = \"n0-h:1\"\ndLegerSelfId = \"n0\"\nraft.learners = \"n0\"",
        &["container.toml:7: raft.learners has all of dLegerPeers: nobody can lead"],
    );
}

#[test]
fn what_the_group_decides_is_not_configured() {
    check(
        "dLegerPeers = \"n0-h:1\"\ndLegerSelfId = \"n0\"\nbrokerRole = \"SLAVE\"\nbrokerId = 3\nhaListenPort = 9\ndLegerGroup = \"x\"",
        &[
            "warning: container.toml:7: brokerRole: ignored with enableDLegerCommitLog: the group elects its leader",
            "warning: container.toml:8: brokerId: ignored with enableDLegerCommitLog: the number of dLegerSelfId counts",
            "warning: container.toml:9: haListenPort: ignored with enableDLegerCommitLog: the port in dLegerPeers counts",
            "warning: container.toml:10: dLegerGroup: differs from brokerName, by which clients know the group",
        ],
    );
    check(
        "dLegerPeers = \"n0-h:1\"\ndLegerSelfId = \"n0\"\nenableSlaveActingMaster = true",
        &["container.toml:7: enableSlaveActingMaster with enableDLegerCommitLog: a DLedger group elects its leader"],
    );
    check(
        "dLegerPeers = \"n0-h:1\"\ndLegerSelfId = \"n0\"\nraft.heartbeat_millis = 600",
        &[
            "container.toml:1: raft.election_timeout_millis begins below two heartbeats of 600 ms: one lost letter would end a leader",
        ],
    );
    for wrong in ["[2000, 1000]", "1000", "[1, 2]", "\"1000\""] {
        let what = format!(
            "container.toml:7: raft.election_timeout_millis = {wrong}: expected two times in ms, the shorter first, 50ms to \
             600000ms, as a list or one text separated by ;"
        );
        let what = what.replace("[2000, 1000]", "[\"2000\", \"1000\"]").replace("[1, 2]", "[\"1\", \"2\"]");
        check(
            &format!("dLegerPeers = \"n0-h:1\"\ndLegerSelfId = \"n0\"\nraft.election_timeout_millis = {wrong}"),
            &[&what],
        );
    }
}

#[test]
fn one_group_has_one_name_and_one_name_one_group() {
    let outside = machine(&[], &[]);
    let check = |text: &str, expected: &[&str]| assert_eq!(lines(load(text, &outside)), expected, "{text}");
    check(PAIR, &[]);
    check(
        &PAIR.replace("dLegerSelfId = \"n1\"", "dLegerSelfId = \"n1\"\nbrokerName = \"x\"\ndLegerGroup = \"g\""),
        &["container.toml:13: dLegerGroup = g is that of brokerName = g too"],
    );
    check(
        &PAIR.replace("dLegerSelfId = \"n1\"", "brokerId = 1\nbrokerRole = \"SLAVE\"\nenableDLegerCommitLog = false"),
        &["container.toml:2: brokerName = g is in no DLedger group here and in DLedger group g too"],
    );
    check(
        &PAIR.replace("n1-h:2", "n1-h:10911"),
        &[
            "container.toml:4: port 10911 is the port in dLegerPeers of g and already listenPort of g at container.toml:9",
        ],
    );
}

#[test]
fn a_member_is_added_beside_others() {
    let text = "[defaults.raft]\nunsafe_raft = true\n[[broker]]\nbrokerName = \"a\"\nlistenPort = 40910";
    let outside = machine(&[("n0.conf", STOCK)], &[]);
    let config = config(text);
    let (new, _) = config.broker_from_conf(Path::new("n0.conf"), &outside).expect("right");
    let clashes = config.check_neighbours(&config.brokers, &new).expect_err("a clash");
    let expected = "n0.conf:8: port 40911 is the port in dLegerPeers of RaftNode00 and already haListenPort of a at container.toml:5";
    assert_eq!(clashes.to_string(), expected);
}

#[test]
fn members_may_come_and_go_while_the_broker_runs() {
    let config = config(PAIR);
    let broker = &config.brokers[0];
    let update = |text: &str| match broker.update(text) {
        Ok((new, _)) => Ok(new.dledger.expect("a member").peers.len()),
        Err(errors) => Err(errors.to_string()),
    };
    assert_eq!(update("dLegerPeers=n0-h:1;n1-h:2;n2-h:3"), Ok(3));
    assert_eq!(update("dLegerPeers=n0-h:1"), Ok(1));
    let moved = "container.toml:4: the address of this broker in dLegerPeers cannot be changed while it runs";
    assert_eq!(update("dLegerPeers=n0-h:9;n1-h:2"), Err(moved.into()));
    let gone = format!("container.toml:8: dLegerSelfId = n0 is not among dLegerPeers\n{moved}");
    assert_eq!(update("dLegerPeers=n1-h:2").map_err(|text| text.lines().count()), Err(gone.lines().count()));
}
