//! What the HTTP endpoint shows.

use std::collections::BTreeSet;

use crate::support::{Outcome, Peer, Running, broker_table, free_port};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_a_healthy_container() -> Outcome<()> {
    let running = Running::start(&(broker_table("a", free_port()) + &broker_table("b", free_port()))).await?;
    assert_eq!(running.page("/livez").await?, (200, "alive\n".to_owned()));
    let (status, ready) = running.page("/readyz").await?;
    let namesrv = &running.namesrv;
    let expected = format!(
        "DefaultCluster_a_0 serving\nDefaultCluster_b_0 serving\nNameServer {namesrv} answers, 2 brokers registered\n"
    );
    assert_eq!((status, ready), (200, expected));
    let (status, brokers) = running.page("/brokers").await?;
    let brokers: serde_json::Value = serde_json::from_str(&brokers)?;
    let states: Vec<_> =
        brokers["brokers"].as_array().ok_or("no list")?.iter().map(|broker| broker["state"].as_str()).collect();
    assert_eq!((status, states), (200, vec![Some("serving"), Some("serving")]));
    assert_eq!(running.page("/nothing").await?.0, 404);
    running.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_of_brokers_of_one_process_do_not_collide() -> Outcome<()> {
    let (a, b) = (free_port(), free_port());
    let running = Running::start(&(broker_table("a", a) + &broker_table("b", b))).await?;
    let peer = Peer::new();
    for (port, messages) in [(a, 3), (b, 5)] {
        for _ in 0..messages {
            peer.send(&format!("127.0.0.1:{port}"), "T", "m").await?;
        }
    }
    let (_, page) = running.page("/metrics").await?;
    let stored: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("rocketmq_messages_in_total{") && line.contains("topic=\"T\""))
        .collect();
    let labels = |name| {
        format!(
            "rocketmq_messages_in_total{{cluster=\"DefaultCluster\",node_type=\"broker\",node_id=\"{name}\",broker_id=\"0\",\
             broker_role=\"ASYNC_MASTER\",topic=\"T\",message_type=\"normal\",is_system=\"false\"}}"
        )
    };
    assert_eq!(stored, [format!("{} 3", labels("a")), format!("{} 5", labels("b"))]);

    let samples: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
    let series: BTreeSet<&str> =
        samples.iter().filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series).collect();
    assert_eq!(series.len(), samples.len(), "no series is there twice");
    let latency = samples.iter().find(|line| {
        line.starts_with("rocketmq_rpc_latency_milliseconds_count")
            && line.contains("node_id=\"b\"")
            && line.contains("SEND_MESSAGE_V2")
    });
    assert!(latency.is_some_and(|line| line.ends_with(" 5")), "{latency:?}");
    running.stop().await;
    Ok(())
}
