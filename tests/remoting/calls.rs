//! Requests from the server to its clients, and outgoing connections.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mqcontainer::env::{SystemClock, Tasks};
use mqcontainer::protocol::command::{Command, FLAG_ONEWAY, FLAG_RESPONSE};
use mqcontainer::remoting::{CallError, Client, CloseReason, Connection, Limits, PushError, Service, Transport};

use crate::harness::*;

/// A peer that has introduced itself, and the server's handle to it.
async fn introduced(server: &Server) -> (Peer, Connection) {
    let mut peer = server.peer().await;
    peer.send(&request(ECHO, 1, b"")).await;
    peer.expect_echo(1, b"").await;
    let connection = server.script.only_connection();
    (peer, connection)
}

fn call(connection: &Connection, timeout: Duration) -> tokio::task::JoinHandle<Result<Command, CallError>> {
    let connection = connection.clone();
    tokio::spawn(async move { connection.call(request(307, 0, b"who are you"), timeout).await })
}

#[tokio::test]
async fn a_client_answers_calls_in_any_order() {
    let server = Server::start(Limits::default());
    let (mut peer, connection) = introduced(&server).await;
    let calls = [call(&connection, DEADLINE), call(&connection, DEADLINE)];
    let mut requests = vec![peer.receive().await.unwrap(), peer.receive().await.unwrap()];
    requests.reverse();
    for asked in requests {
        assert_eq!((asked.code, asked.flag), (307, 0));
        let body = asked.opaque.to_string();
        peer.send(&Command { flag: FLAG_RESPONSE, ..request(0, asked.opaque, body.as_bytes()) }).await;
    }
    for call in calls {
        let answer = in_time(call).await.unwrap().unwrap();
        assert_eq!(answer.body.to_bytes(), answer.opaque.to_string().as_bytes());
    }
}

#[tokio::test]
async fn calls_end_without_an_answer_too() {
    let server = Server::start(Limits { calls_per_connection: 2, ..Limits::default() });
    let (mut peer, connection) = introduced(&server).await;
    let timeout = Duration::from_millis(20);
    let timed_out = in_time(call(&connection, timeout)).await.unwrap();
    assert_eq!(timed_out, Err(CallError::Timeout { remote: connection.remote(), timeout }));
    // The late answer harms nobody.
    let asked = peer.receive().await.unwrap();
    peer.send_bytes(&bytes_of(&[
        Command { flag: FLAG_RESPONSE, ..request(0, asked.opaque, b"") },
        request(ECHO, 2, b""),
    ]))
    .await;
    peer.expect_echo(2, b"").await;
    let waiting = [call(&connection, DEADLINE), call(&connection, DEADLINE)];
    for _ in 0..2 {
        peer.receive().await.unwrap();
    }
    let too_many = in_time(call(&connection, DEADLINE)).await.unwrap();
    assert_eq!(too_many, Err(CallError::TooManyCalls { remote: connection.remote(), limit: 2 }));
    drop(peer);
    for call in waiting {
        assert_eq!(in_time(call).await.unwrap(), Err(CallError::Closed(CloseReason::Peer)));
    }
    let after = in_time(call(&connection, DEADLINE)).await.unwrap();
    assert_eq!(after, Err(CallError::Push(PushError::Closed(CloseReason::Peer))));
}

#[tokio::test]
async fn pushes_arrive_as_oneway_and_never_wait() {
    let server = Server::start(Limits { outbox_frames: 4, ..Limits::default() });
    let (mut peer, connection) = introduced(&server).await;
    // The connection's task shares this thread, so nothing is written between the pushes.
    let pushed: Vec<_> = (0..6).map(|_| connection.push(request(40, 0, b"")).is_ok()).collect();
    assert_eq!(pushed, [true, true, true, true, false, false]);
    for _ in 0..4 {
        let notice = peer.receive().await.unwrap();
        assert_eq!((notice.code, notice.flag), (40, FLAG_ONEWAY));
    }
    connection.close("test");
    peer.expect_closed().await;
    assert_eq!(connection.push(request(40, 0, b"")), Err(PushError::Closed(CloseReason::Asked)));
    assert_eq!(server.counters().closed(CloseReason::Asked), 1);
}

fn client(limits: Limits, service: Option<Arc<dyn Service>>) -> (Client, Tasks, Arc<Transport>) {
    let transport = Transport::new(limits);
    let tasks = Tasks::new();
    let client = Client::new(&owner(), &transport, Arc::new(SystemClock::new()), &tasks, service);
    (client, tasks, transport)
}

#[tokio::test]
async fn callers_of_one_address_share_a_connection() {
    let server = Server::start(Limits::default());
    let (client, tasks, transport) = client(Limits::default(), None);
    let address = server.address().to_string();
    let calls: Vec<_> = (0..50)
        .map(|n| {
            let (client, address) = (client.clone(), address.clone());
            tokio::spawn(async move {
                let answer = client.call(&address, request(ECHO, 0, &[n; 10]), DEADLINE).await.unwrap();
                assert_eq!(answer.body.to_bytes(), [n; 10].as_slice());
            })
        })
        .collect();
    for call in calls {
        in_time(call).await.unwrap();
    }
    assert_eq!(server.count(|c| &c.accepted), 1);
    client.oneway(&address, request(ECHO, 0, b"")).await.unwrap();
    until("the oneway arrives", || server.script.oneways.load(Ordering::SeqCst) == 1).await;
    tasks.cancel();
    in_time(tasks.ended()).await;
    assert_eq!(transport.open_connections(), 0);
}

#[tokio::test]
async fn a_client_connects_again_after_a_loss() {
    let server = Server::start(Limits::default());
    let (client, _tasks, _transport) = client(Limits::default(), None);
    let address = server.address().to_string();
    for round in 1..=3 {
        in_time(client.call(&address, request(ECHO, 0, b""), DEADLINE)).await.unwrap();
        assert_eq!(server.count(|c| &c.accepted), round);
        server.script.only_connection().close("test");
        until("the client has noticed", || client.counters().active.load(Ordering::SeqCst) == 0).await;
    }
}

#[tokio::test]
async fn an_absent_server_is_not_hammered() {
    let (client, _tasks, _transport) = client(Limits::default(), None);
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let mut reasons = Vec::new();
    for _ in 0..2 {
        match in_time(client.call(&nobody, request(ECHO, 0, b""), DEADLINE)).await {
            Err(CallError::Connect { address, reason }) => {
                assert_eq!(address, nobody);
                reasons.push(reason);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(reasons.iter().all(|reason| reason.contains("refused")), "{reasons:?}");
}

#[tokio::test]
async fn a_server_calls_its_client_over_the_clients_connection() {
    let server = Server::start(Limits::default());
    let own = Arc::new(Script::default());
    let (client, _tasks, _transport) = client(Limits::default(), Some(Arc::clone(&own) as Arc<dyn Service>));
    let address = server.address().to_string();
    in_time(client.call(&address, request(ECHO, 0, b""), DEADLINE)).await.unwrap();
    let connection = server.script.only_connection();
    let answer = in_time(connection.call(request(ECHO, 0, b"from above"), DEADLINE)).await.unwrap();
    assert_eq!(answer.body.to_bytes(), b"from above".as_slice());
    connection.push(request(40, 0, b"")).unwrap();
    until("the notice arrives", || own.oneways.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn idle_outgoing_connections_are_closed() {
    let server = Server::start(Limits::default());
    let (client, _tasks, transport) = client(Limits { idle: Duration::from_millis(100), ..Limits::default() }, None);
    in_time(client.call(&server.address().to_string(), request(ECHO, 0, b""), DEADLINE)).await.unwrap();
    until("it is closed", || client.counters().closed(CloseReason::Idle) == 1).await;
    assert_eq!(transport.open_connections(), 0);
}
