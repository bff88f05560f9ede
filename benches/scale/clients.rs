//! Clients that `mqcontainer bench` has no use for.

use std::sync::Arc;
use std::time::Duration;

use mqcontainer::env::{SystemClock, Tasks};
use mqcontainer::protocol::body::route::ClusterInfo;
use mqcontainer::protocol::codes::{request, response};
use mqcontainer::protocol::command::Command;
use mqcontainer::protocol::headers::offset::UpdateConsumerOffsetRequest;
use mqcontainer::protocol::ids::{QueueId, QueueOffset};
use mqcontainer::protocol::json;
use mqcontainer::remoting::{Client, Limits, Transport};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Where the only broker listens.
pub fn broker_address(namesrv: &str) -> String {
    with_client(async |client| address(client, namesrv).await)
}

/// An offset for every queue of topic "t" from each group, one after the other.
pub fn commit(namesrv: &str, groups: u32, queues: u32) {
    with_client(async |client| {
        let address = address(client, namesrv).await;
        for group in 0..groups {
            for queue in 0..queues {
                let mut command = Command { code: request::UPDATE_CONSUMER_OFFSET, ..Command::default() };
                let header = UpdateConsumerOffsetRequest {
                    consumer_group: &format!("group-{group}"),
                    topic: "t",
                    queue_id: QueueId(i32::try_from(queue).unwrap()),
                    commit_offset: QueueOffset(1),
                };
                header.encode(&mut command.ext);
                let answer = client.call(&address, command, TIMEOUT).await.unwrap();
                assert_eq!(answer.code, response::SUCCESS, "{:?}", answer.remark);
            }
        }
    });
}

async fn address(client: &Client, namesrv: &str) -> String {
    let command = Command { code: request::GET_BROKER_CLUSTER_INFO, ..Command::default() };
    let answer = client.call(namesrv, command, TIMEOUT).await.unwrap();
    let info: ClusterInfo = json::from_java(&answer.body.to_bytes()).unwrap();
    info.broker_addr_table.values().next().unwrap().broker_addrs[&0].clone()
}

fn with_client<T>(work: impl AsyncFnOnce(&Client) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let tasks = Tasks::new();
        let transport = Transport::new(Limits::default());
        let client = Client::new(&"bench".into(), &transport, Arc::new(SystemClock::new()), &tasks, None);
        let result = work(&client).await;
        tasks.cancel();
        result
    })
}
