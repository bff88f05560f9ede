//! A group whose slaves act as master, beside each other.

use crate::support::{Outcome, Peer, Running, broker_table, free_port, until};

/// Master and slave join through each other, in whichever order they start, and only then they are registered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_one_container_joins_and_is_registered() -> Outcome<()> {
    let (master, slave) = (free_port(), free_port());
    let folder = tempfile::tempdir()?;
    let acting = "enableSlaveActingMaster = true\ntotalReplicas = 2\n";
    let store = folder.path().join("a-1").display().to_string();
    let tables = broker_table("a", master)
        + acting
        + &broker_table("a", slave)
        + acting
        + &format!("brokerRole = \"SLAVE\"\nbrokerId = 1\nslaveReadEnable = true\nstorePathRootDir = \"{store}\"\n");
    let running = Running::start_in(folder, &tables, |env| env).await?;
    until("both serve", || async { running.page("/readyz").await.is_ok_and(|(status, _)| status == 200) }).await;
    until("both are registered", || async {
        let route = Peer::new().route_data(&running.namesrv, "TBW102").await;
        route.is_ok_and(|route| route.broker_datas.first().is_some_and(|group| group.broker_addrs.len() == 2))
    })
    .await;
    running.stop().await;
    Ok(())
}
