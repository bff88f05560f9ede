//! A DLedger group in one container and spread over three: clients go on when a leader goes, and nothing that was acknowledged is lost.

use std::collections::BTreeMap;
use std::path::Path;

use mqcontainer::protocol::ids::QueueOffset;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Outcome, Peer, Running, broker_table, configuration, free_port, member_tables, until};

const TOPIC: &str = "Elected";

/// What a client has sent to the group, wherever its leader was.
struct Producer<'a> {
    peer: &'a Peer,
    namesrv: &'a str,
    acknowledged: Vec<String>,
}

impl Producer<'_> {
    /// Where clients find the leader.
    async fn leader(&self) -> Option<String> {
        let route = self.peer.route(self.namesrv, "TBW102").await.ok()?;
        route.into_iter().find(|(name, _)| name == "g").map(|(_, address)| address)
    }

    /// Sends as a client does: to the leader the NameServer names, again when that does not take it.
    async fn send(&mut self, count: usize) {
        for _ in 0..count {
            let body = format!("message {}", self.acknowledged.len());
            let (peer, this) = (self.peer, &*self);
            until("the group takes a message", || async {
                let Some(leader) = this.leader().await else { return false };
                peer.send(&leader, TOPIC, &body).await.is_ok()
            })
            .await;
            self.acknowledged.push(body);
        }
    }

    /// All of it is there in order; a message that was sent twice because its answer was lost may be there twice.
    async fn check(&self, leader: &str) -> Outcome<()> {
        let mut found: Vec<String> = Vec::new();
        while found.last() != self.acknowledged.last() {
            let more = self.peer.pull(leader, TOPIC, QueueOffset(i64::try_from(found.len())?)).await?;
            found.extend(more);
        }
        let mut once = found.clone();
        once.dedup();
        assert_eq!(once, self.acknowledged);
        Ok(())
    }
}

/// `dledger` of each member of the group on this page of /brokers.
async fn standings(running: &Running) -> Outcome<BTreeMap<i64, Value>> {
    let (_, page) = running.page("/brokers").await?;
    let page: Value = serde_json::from_str(&page)?;
    let brokers = page["brokers"].as_array().ok_or("no list")?.iter();
    let of_group = brokers.filter(|broker| broker["name"] == "g");
    Ok(of_group.map(|broker| (broker["id"].as_i64().unwrap_or(-1), broker["dledger"].clone())).collect())
}

/// Waits until all members there are agree on who leads, and says who.
async fn leader_of(running: &[&Running], members: usize) -> i64 {
    let mut leader = -1;
    let known = &mut leader;
    let deadline = async {
        loop {
            let mut all = BTreeMap::new();
            for one in running {
                all.extend(standings(one).await.unwrap_or_default());
            }
            let leads = all.iter().find(|(_, standing)| standing["role"] == "leader").map(|(id, _)| *id);
            let agreed = leads.filter(|id| all.values().all(|standing| standing["leader"] == format!("n{id}")));
            if let (Some(id), true) = (agreed, all.len() == members) {
                *known = id;
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(crate::support::DEADLINE, deadline).await.is_ok(), "no leader that all know");
    leader
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_container_hosts_a_group_beside_other_brokers_and_its_leader_is_removed_and_comes_back() -> Outcome<()> {
    let (folder, ports) = (tempfile::tempdir()?, [free_port(), free_port(), free_port()]);
    let tables = member_tables("g", &ports, folder.path());
    let other = broker_table("other", free_port());
    let running = Running::start_in(folder, &(tables.concat() + &other), |env| env).await?;
    let peer = Peer::new();
    let mut producer = Producer { peer: &peer, namesrv: &running.namesrv, acknowledged: Vec::new() };
    producer.send(20).await;
    let leader = leader_of(&[&running], 3).await;
    let address = |id: i64| format!("127.0.0.1:{}", ports[usize::try_from(id).unwrap()]);

    // Java's ids: the leader is 0, the others have the number of their dLegerSelfId and one more.
    let route = || async { peer.route_data(&running.namesrv, TOPIC).await };
    until("all are registered", || async {
        let known = route().await.ok().and_then(|route| route.broker_datas.into_iter().next());
        known.is_some_and(|group| {
            let expected = (0..3).map(|id| (if id == leader { 0 } else { id + 1 }, address(id)));
            group.broker_addrs == expected.collect()
        })
    })
    .await;
    assert_eq!(running.page("/readyz").await?.0, 200);
    let metrics = running.page("/metrics").await?.1;
    for line in ["mqcontainer_raft_term{", "mqcontainer_raft_role{", "mqcontainer_members_streams 0"] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }

    // A second time it is somebody else's turn.
    for _ in 0..2 {
        let leader = leader_of(&[&running], 3).await;
        let removed = peer.remove_broker_id(&running.admin, "g", leader).await?;
        assert_eq!((removed.code, removed.remark), (0, None));
        producer.send(20).await;
        let next = leader_of(&[&running], 2).await;
        assert_ne!(next, leader);
        producer.check(&address(next)).await?;
        let conf = running.file("back.conf");
        let table =
            tables[usize::try_from(leader)?].replace("[[broker]]", "").replace("[broker.raft]", "").replace('"', "");
        let text = table.replace("unsafe_raft", "raft.unsafe_raft");
        std::fs::write(&conf, format!("brokerIP1 = 127.0.0.1\nmappedFileSizeCommitLog = 16777216\n{text}"))?;
        let added = peer.add_broker(&running.admin, &conf).await?;
        assert_eq!((added.code, added.remark), (0, None));
        producer.send(5).await;
    }
    let twice = peer.add_broker(&running.admin, &running.file("back.conf")).await?;
    assert_eq!(twice.code, 1, "{:?}", twice.remark);
    let nobody = peer.remove_broker_id(&running.admin, "g", 3).await?;
    assert_eq!(nobody.remark.as_deref(), Some("Broker not exist"));
    running.stop().await;
    Ok(())
}

fn spread(folder: &Path, ports: (u16, u16), table: &str, namesrv: Option<&str>) -> String {
    let text = configuration(folder, ports.0, ports.1, table);
    match namesrv {
        Some(address) => text.replacen("[container]", &format!("[container]\nnamesrvAddr = \"{address}\""), 1),
        None => text,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_in_three_containers_goes_on_when_the_container_of_its_leader_stops_and_when_it_is_back() -> Outcome<()>
{
    let folders: [TempDir; 3] = [tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?];
    let brokers = [free_port(), free_port(), free_port()];
    let own = [(free_port(), free_port()), (free_port(), free_port()), (free_port(), free_port())];
    // The NameServer of a fourth container never stops.
    let names = Running::start("").await?;
    let tables: Vec<String> =
        (0..3).map(|at| member_tables("g", &brokers, folders[at].path()).swap_remove(at)).collect();
    let mut texts = Vec::new();
    let mut containers: Vec<Option<Running>> = Vec::new();
    for (at, folder) in folders.into_iter().enumerate() {
        texts.push(spread(folder.path(), own[at], &tables[at], Some(&names.namesrv)));
        containers.push(Some(Running::from_text(folder, &texts[at], own[at], |env| env).await?));
    }
    let peer = Peer::new();
    let mut producer = Producer { peer: &peer, namesrv: &names.namesrv, acknowledged: Vec::new() };
    producer.send(20).await;
    for _ in 0..2 {
        let all: Vec<&Running> = containers.iter().flatten().collect();
        let leader = usize::try_from(leader_of(&all, 3).await)?;
        until("one stream to each of the others", || async {
            let metrics = all[0].page("/metrics").await;
            metrics.is_ok_and(|(_, page)| page.contains("mqcontainer_members_streams 2"))
        })
        .await;
        let folder = containers[leader].take().ok_or("it is there")?.stop().await;
        producer.send(20).await;
        let others: Vec<&Running> = containers.iter().flatten().collect();
        let next = usize::try_from(leader_of(&others, 2).await)?;
        producer.check(&format!("127.0.0.1:{}", brokers[next])).await?;
        containers[leader] = Some(Running::from_text(folder, &texts[leader], own[leader], |env| env).await?);
        producer.send(5).await;
    }
    for container in containers.into_iter().flatten() {
        container.stop().await;
    }
    names.stop().await;
    Ok(())
}
