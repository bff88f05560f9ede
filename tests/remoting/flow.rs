//! Limits pause, refuse or close, and what is paused goes on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mqcontainer::dispatch::{Admission, AdmissionLimits, Lane, LaneLimits};
use mqcontainer::env::SystemClock;
use mqcontainer::remoting::{CloseReason, Limits};

use crate::harness::*;

#[tokio::test]
async fn requests_in_flight_pause_reading() {
    let server = Server::start(Limits { inflight_per_connection: 10, ..Limits::default() });
    let mut peer = server.peer().await;
    let commands: Vec<_> = (0..100).map(|n| request(HOLD, n, b"held")).collect();
    peer.send_bytes(&bytes_of(&commands)).await;
    for round in 0..10 {
        until("ten are held", || server.script.held() == 10).await;
        server.serves_others().await;
        assert_eq!(server.script.held(), 10);
        server.script.release(10);
        for n in 0..10 {
            peer.expect_echo(round * 10 + n, b"held").await;
        }
    }
    assert_eq!(server.script.held(), 0);
}

#[tokio::test]
async fn oneways_in_flight_pause_reading_too() {
    let server = Server::start(Limits { inflight_per_connection: 10, ..Limits::default() });
    let mut peer = server.peer().await;
    let commands: Vec<_> = (0..30).map(|n| oneway(HOLD, n)).chain([request(ECHO, 30, b"last")]).collect();
    peer.send_bytes(&bytes_of(&commands)).await;
    for handed_out in [10, 20, 30] {
        until("ten more", || server.script.oneways.load(Ordering::SeqCst) == handed_out).await;
        server.script.release(10);
    }
    peer.expect_echo(30, b"last").await;
}

#[tokio::test]
async fn bytes_in_flight_pause_all_readers_and_wake_them() {
    let server = Server::start(Limits { request_bytes: 2000, ..Limits::default() });
    let mut first = server.peer().await;
    let mut second = server.peer().await;
    first.send_bytes(&bytes_of(&[request(HOLD, 1, &[1; 1500]), request(HOLD, 2, &[2; 1500])])).await;
    until("two are held", || server.script.held() == 2).await;
    let read = server.count(|c| &c.bytes_in);
    second.send(&request(HOLD, 3, &[3; 1500])).await;
    until("the third is read", || server.count(|c| &c.bytes_in) > read).await;
    assert_eq!(server.script.held(), 2);
    server.script.release(2);
    first.expect_echo(1, &[1; 1500]).await;
    first.expect_echo(2, &[2; 1500]).await;
    until("the third is held", || server.script.held() == 1).await;
    server.script.release(1);
    second.expect_echo(3, &[3; 1500]).await;
    assert_eq!(server.transport.request_bytes(), 0);
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_not_read_from() {
    const BLOB_BYTES: usize = 256 << 10;
    let limits = Limits { outbox_pause_bytes: 1 << 20, idle: Duration::from_millis(500), ..Limits::default() };
    let server = Server::start(limits);
    let mut peer = server.peer().await;
    // 1000 answers would be 250 MiB; small requests, so that the client is not stopped by its own send buffer.
    let commands: Vec<_> = (0..1000).map(|n| blob(n, BLOB_BYTES)).collect();
    peer.send_bytes(&bytes_of(&commands)).await;
    let mut most = 0;
    until("it is closed", || {
        most = most.max(server.transport.outbound_bytes());
        server.counters().closed(CloseReason::SlowPeer) == 1
    })
    .await;
    // The pause, and the answers that are handed out between two looks at it.
    assert!((1 << 20..100 * BLOB_BYTES).contains(&most), "{most} bytes were waiting");
    assert!(server.count(|c| &c.frames_in) < 1000, "reading stopped");
    assert_eq!(server.transport.outbound_bytes(), 0);
    server.serves_others().await;
}

#[tokio::test]
async fn answers_beyond_the_outbox_close_the_peer_at_once() {
    let server = Server::start(Limits { outbox_bytes: 1 << 20, ..Limits::default() });
    let mut peer = server.peer().await;
    let commands: Vec<_> = (0..100).map(|n| request(HOLD, n, &[n as u8; 100_000])).collect();
    peer.send_bytes(&bytes_of(&commands)).await;
    until("all are held", || server.script.held() == 100).await;
    server.script.release(100);
    until("it is closed", || server.counters().closed(CloseReason::SlowPeer) == 1).await;
    assert_eq!((server.transport.outbound_bytes(), server.transport.request_bytes()), (0, 0));
    server.serves_others().await;
}

#[tokio::test]
async fn a_peer_that_reads_late_gets_everything() {
    let server = Server::start(Limits { outbox_pause_bytes: 100_000, ..Limits::default() });
    let mut peer = server.peer().await;
    let commands: Vec<_> = (0..200).map(|n| blob(n, 100_000)).collect();
    peer.send_bytes(&bytes_of(&commands)).await;
    until("answers wait", || server.transport.outbound_bytes() > 100_000).await;
    for n in 0..200 {
        let answer = peer.receive().await.expect("an answer");
        assert_eq!((answer.opaque, answer.body.len()), (n, 100_000));
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once() {
    let server = Server::start(Limits { connections: 3, ..Limits::default() });
    let mut peers = Vec::new();
    for n in 0..3 {
        let mut peer = server.peer().await;
        peer.send(&request(ECHO, n, b"")).await;
        peer.expect_echo(n, b"").await;
        peers.push(peer);
    }
    server.peer().await.expect_closed().await;
    assert_eq!((server.count(|c| &c.refused), server.transport.open_connections()), (1, 3));
    drop(peers.pop());
    until("there is room", || server.transport.open_connections() == 2).await;
    server.serves_others().await;
}

#[tokio::test]
async fn a_busy_broker_refuses_sends_and_still_takes_heartbeats() {
    let lane = LaneLimits { requests: 2, bytes: 1 << 20 };
    let admission =
        Admission::new(AdmissionLimits { send: lane, fetch: lane, control: lane }, Arc::new(SystemClock::new()));
    let server = Server::start_with(Limits::default(), Some(&admission));
    let mut peer = server.peer().await;
    let sends: Vec<_> = (0..3).map(|n| request(SEND, n, b"message")).collect();
    peer.send_bytes(&bytes_of(&sends)).await;
    let refused = peer.receive().await.unwrap();
    assert_eq!((refused.opaque, refused.code), (2, 2));
    assert_eq!(
        refused.remark.as_deref(),
        Some(
            "[OVERLOAD]system busy, start flow control for a while: the broker has 2 send requests in flight, limit 2"
        )
    );
    peer.send(&request(ECHO, 4, b"heartbeat")).await;
    peer.expect_echo(4, b"heartbeat").await;
    assert_eq!(admission.in_flight(Lane::Send).0, 2);
    server.script.release(2);
    peer.expect_echo(0, b"message").await;
    peer.expect_echo(1, b"message").await;
    assert_eq!((admission.in_flight(Lane::Send), admission.refused(Lane::Send)), ((0, 0), 1));
    peer.send(&request(SEND, 5, b"again")).await;
    until("it is admitted", || server.script.held() == 1).await;
    drop(peer);
    until("it is closed", || server.count(|c| &c.active) == 0).await;
    server.script.release(1);
    assert_eq!(admission.in_flight(Lane::Send), (0, 0));
}
