//! Ports and connections begin and end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mqcontainer::dispatch::Error;
use mqcontainer::remoting::{CloseReason, Limits, ReplySlot, Service};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::harness::*;

#[tokio::test]
async fn idle_connections_are_closed() {
    let server = Server::start(Limits { idle: Duration::from_millis(100), ..Limits::default() });
    let mut silent = server.peer().await;
    let mut spoken = server.peer().await;
    spoken.send(&request(ECHO, 1, b"")).await;
    spoken.expect_echo(1, b"").await;
    silent.expect_closed().await;
    spoken.expect_closed().await;
    until("both are counted", || server.counters().closed(CloseReason::Idle) == 2).await;
    assert_eq!(server.script.closed.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn two_thousand_idle_connections_cost_nobody_anything() {
    // Both ends live in this process.
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let server = Server::start(Limits::default());
    let mut idle = Vec::new();
    for n in 0..2000 {
        let mut peer = server.peer().await;
        if n % 2 == 0 {
            peer.send(&request(ECHO, n, &[0; 1000])).await;
            peer.expect_echo(n, &[0; 1000]).await;
        }
        idle.push(peer);
    }
    until("all are accepted", || server.count(|c| &c.active) == 2000).await;
    server.serves_others().await;
    assert_eq!(server.transport.partial_bytes(), 0);
    drop(idle);
    until("all are closed", || server.transport.open_connections() == 0).await;
    assert_eq!(server.script.closed.load(Ordering::SeqCst), 2001);
}

#[tokio::test]
async fn a_stopping_port_lets_answers_out() {
    let server = Server::start(Limits { drain: DEADLINE, ..Limits::default() });
    let mut peer = server.peer().await;
    let mut idle = server.peer().await;
    let commands: Vec<_> = (0..5).map(|n| request(HOLD, n, b"last words")).collect();
    peer.send_bytes(&bytes_of(&commands)).await;
    until("all are held", || server.script.held() == 5).await;
    let Server { script, opened, dispatch, .. } = server;
    let closing = tokio::spawn(opened.close());
    idle.expect_closed().await;
    // Requests that come after the stop are not read.
    peer.send(&request(ECHO, 9, b"too late")).await;
    script.release(5);
    for n in 0..5 {
        peer.expect_echo(n, b"last words").await;
    }
    peer.expect_closed().await;
    in_time(closing).await.unwrap();
    assert_eq!(dispatch.ports().len(), 0);
    assert_eq!(script.closed.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_drain_has_an_end() {
    let server = Server::start(Limits { drain: Duration::from_millis(50), ..Limits::default() });
    let mut peer = server.peer().await;
    peer.send(&request(HOLD, 1, b"")).await;
    until("it is held", || server.script.held() == 1).await;
    let Server { script, opened, transport, .. } = server;
    let counters = Arc::clone(opened.counters());
    in_time(opened.close()).await;
    peer.expect_closed().await;
    assert_eq!(counters.closed(CloseReason::Stopped), 1);
    script.release(1);
    assert_eq!((transport.request_bytes(), transport.open_connections()), (0, 0));
}

#[tokio::test]
async fn a_port_can_be_closed_and_opened_again() {
    let server = Server::start(Limits::default());
    let address = server.address();
    let Server { script, opened, dispatch, .. } = server;
    let mut opened = opened;
    for round in 0..3 {
        let mut peer = Peer::connect(address).await;
        peer.send(&request(ECHO, round, b"")).await;
        peer.expect_echo(round, b"").await;
        in_time(opened.close()).await;
        peer.expect_closed().await;
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
        opened = dispatch.open(&owner(), address, None, Arc::clone(&script) as Arc<dyn Service>).unwrap();
    }
    let listed: Vec<_> = dispatch.ports().iter().map(|port| port.address).collect();
    assert_eq!(listed, [address]);
}

#[tokio::test]
async fn a_taken_port_is_refused_by_name() {
    let server = Server::start(Limits::default());
    let again = server.dispatch.open(
        &Arc::from("broker-b"),
        server.address(),
        None,
        Arc::clone(&server.script) as Arc<dyn Service>,
    );
    match again.err() {
        Some(Error::Taken { owner, address, holder }) => {
            assert_eq!((&*owner, address, &*holder), ("broker-b", server.address(), "test"));
        }
        other => panic!("{other:?}"),
    }
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = stranger.local_addr().unwrap();
    let failed = server.dispatch.open(&owner(), taken, None, Arc::clone(&server.script) as Arc<dyn Service>);
    assert!(matches!(failed.err(), Some(Error::Bind { address, .. }) if address == taken));
    assert_eq!(server.dispatch.ports().len(), 1, "a failed open leaves nothing behind");
    server.serves_others().await;
}

#[tokio::test]
async fn dropping_or_cancelling_closes() {
    let server = Server::start(Limits::default());
    let mut peer = server.peer().await;
    peer.send(&request(ECHO, 1, b"")).await;
    peer.expect_echo(1, b"").await;
    let second = server
        .dispatch
        .open(&owner(), "127.0.0.1:0".parse().unwrap(), None, Arc::clone(&server.script) as Arc<dyn Service>)
        .unwrap();
    let mut other = Peer::connect(second.address()).await;
    drop(second);
    other.expect_closed().await;
    server.tasks.cancel();
    peer.expect_closed().await;
}

#[tokio::test]
async fn requests_inside_the_process_are_answered_too() {
    let asked = binary(request(ECHO, 12, b""));
    let (slot, answer) = ReplySlot::local(&asked);
    slot.answer(request(0, 99, b"here"));
    let answer = in_time(answer).await.unwrap();
    assert_eq!((answer.opaque, answer.serialization, answer.flag), (12, asked.serialization, 1));
    let (slot, answer) = ReplySlot::local(&asked);
    drop(slot);
    assert_eq!(in_time(answer).await.unwrap().code, 1);
}
