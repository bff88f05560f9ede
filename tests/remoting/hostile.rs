//! Nonsense costs its sender the connection, and nobody else anything.

use std::time::Duration;

use mqcontainer::protocol::command::Command;
use mqcontainer::remoting::{CloseReason, Limits};
use tokio::io::AsyncWriteExt;

use crate::harness::*;

fn with_length(length: u32, rest: &[u8]) -> Vec<u8> {
    [&length.to_be_bytes(), rest].concat()
}

/// A frame whose header word and header are given.
fn with_header(word: u32, header: &[u8]) -> Vec<u8> {
    with_length(4 + header.len() as u32, &[&word.to_be_bytes(), header].concat())
}

#[tokio::test]
async fn bytes_that_are_no_frame_close_their_connection_only() {
    let server = Server::start(Limits::default());
    let mut healthy = server.peer().await;
    let json = b"{\"code\":1,\"opaque\":";
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("TLS ClientHello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("HTTP", b"GET /metrics HTTP/1.1\r\nHost: broker\r\n\r\n".to_vec()),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("noise", vec![0xa5; 4096]),
        ("length 0", with_length(0, &[])),
        ("length 3", with_length(3, &[0, 0, 0])),
        ("negative length", with_length(u32::MAX, &[])),
        ("17 MiB", with_length(17 << 20, &[])),
        ("header longer than its frame", with_length(8, &[0, 0, 1, 0])),
        ("unknown header codec", with_header(0x0700_0004, b"abcd")),
        ("cut JSON", with_header(json.len() as u32, json)),
        ("JSON that is no object", with_header(4, b"1234")),
        ("not UTF-8", with_header(4, b"\xff\xfe\xfd\xfc")),
        ("nested JSON", with_header(4000, &[b'['; 4000])),
        ("short binary header", with_header(0x0100_0003, b"abc")),
        ("binary lengths out of range", with_header(0x0100_0015, &[0x7f; 21])),
        ("PROXY v1 without addresses", b"PROXY TCP4 nobody\r\n".to_vec()),
        ("PROXY v2 of version 3", [b"\r\n\r\n\0\r\nQUIT\n\x31\x11".as_slice(), &[0; 40]].concat()),
    ];
    for (number, (name, bytes)) in table.iter().enumerate() {
        let mut peer = server.peer().await;
        peer.try_send_bytes(bytes).await;
        assert_eq!(peer.receive().await, None, "{name}");
        until(name, || server.counters().closed(CloseReason::BadFrame) == number as u64 + 1).await;
        let opaque = number as i32;
        healthy.send(&request(ECHO, opaque, b"well")).await;
        healthy.expect_echo(opaque, b"well").await;
    }
    assert_eq!(server.transport.partial_bytes(), 0);
    assert_eq!(server.count(|c| &c.active), 1);
}

#[tokio::test]
async fn requests_before_the_nonsense_are_served_and_what_follows_is_not() {
    let server = Server::start(Limits::default());
    let mut peer = server.peer().await;
    peer.send_bytes(&bytes_of(&[request(HOLD, 1, b"")])).await;
    until("it is held", || server.script.held() == 1).await;
    peer.try_send_bytes(
        &[bytes_of(&[oneway(ECHO, 2)]).as_ref(), &with_length(0, &[]), &bytes_of(&[oneway(ECHO, 3)])].concat(),
    )
    .await;
    peer.expect_closed().await;
    assert_eq!(server.script.oneways.load(std::sync::atomic::Ordering::SeqCst), 1);
    // The answer to the first one comes too late and goes nowhere.
    server.script.release(1);
    assert_eq!((server.transport.request_bytes(), server.transport.outbound_bytes()), (0, 0));
    server.serves_others().await;
}

#[tokio::test]
async fn an_announced_length_reserves_nothing() {
    let server = Server::start(Limits::default());
    let mut peers = Vec::new();
    for count in 1..=50 {
        let mut peer = server.peer().await;
        peer.send_bytes(&with_length((16 << 20) - 4, b"\0\0\0\x02{}")).await;
        until("the prefix is read", || server.count(|c| &c.reads) == count).await;
        peers.push(peer);
    }
    let held = server.transport.partial_bytes();
    assert!((500..=5000).contains(&held), "{held} bytes for 50 prefixes of 10 bytes that announce 800 MiB");
    drop(peers);
    until("it is given back", || server.transport.partial_bytes() == 0).await;
}

#[tokio::test]
async fn half_frames_do_not_take_the_memory_of_others() {
    let limits = Limits {
        partial_bytes: 32 << 20,
        idle: Duration::from_secs(600),
        slow_frame: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Server::start(limits);
    let mut lorises = Vec::new();
    for _ in 0..12 {
        let mut peer = server.peer().await;
        peer.try_send_bytes(&with_length(5 << 19, &[b"\0\0\0\x02{}".as_slice(), &[0; 100_000]].concat())).await;
        lorises.push(peer);
    }
    until("memory is short", || server.transport.partial_bytes() > 24 << 20).await;
    assert!(
        server.transport.partial_bytes() <= (32 << 20) + 12 * (64 << 10),
        "the limit, and one read of each that waits"
    );
    server.serves_others().await;
    // A big frame waits for the memory, gets it when slow ones are closed, and is served.
    let body = vec![7u8; 4 << 20];
    // On a machine that hardly runs it may count as slow itself; it tries again, the slow ones are gone for good.
    let bytes = bytes_of(&[request(ECHO, 1, &body)]);
    in_time(async {
        loop {
            let mut healthy = server.peer().await;
            healthy.try_send_bytes(&bytes).await;
            if let Some(answer) = healthy.receive().await {
                assert!(answer.body.to_bytes() == body);
                break;
            }
        }
    })
    .await;
    assert!(server.counters().closed(CloseReason::SlowFrame) > 0);
    drop(lorises);
    until("all is given back", || server.transport.partial_bytes() == 0).await;
}

#[tokio::test]
async fn a_frame_that_never_completes_closes_after_the_idle_time() {
    let server = Server::start(Limits { idle: Duration::from_millis(200), ..Limits::default() });
    let bytes = bytes_of(&[request(ECHO, 1, &[0; 100_000])]);
    let mut peer = server.peer().await;
    // It drips, so the connection is never idle.
    for byte in &bytes {
        peer.try_send_bytes(&[*byte]).await;
        if server.counters().closed(CloseReason::SlowFrame) == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    peer.expect_closed().await;
    assert_eq!(server.counters().closed(CloseReason::SlowFrame), 1);
}

#[tokio::test]
async fn a_peer_that_stops_in_the_middle_is_closed() {
    let server = Server::start(Limits::default());
    let mut peer = server.peer().await;
    peer.send_bytes(&bytes_of(&[request(ECHO, 1, b"never finished")])[..20]).await;
    until("it is read", || server.transport.partial_bytes() > 0).await;
    peer.stream.shutdown().await.unwrap();
    peer.expect_closed().await;
    until("it is gone", || server.counters().closed(CloseReason::Peer) == 1).await;
    assert_eq!(server.transport.partial_bytes(), 0);
}

#[tokio::test]
async fn a_panic_of_the_service_closes_one_connection() {
    let server = Server::start(Limits::default());
    let mut peer = server.peer().await;
    peer.send_bytes(&bytes_of(&[request(HOLD, 1, b""), request(PANIC, 2, b"")])).await;
    peer.expect_closed().await;
    until("it is counted", || server.counters().closed(CloseReason::Panicked) == 1).await;
    server.script.release(1);
    assert_eq!((server.count(|c| &c.active), server.transport.open_connections()), (0, 0));
    assert_eq!((server.transport.request_bytes(), server.transport.partial_bytes()), (0, 0));
    server.serves_others().await;
}

#[tokio::test]
async fn a_proxy_header_names_the_peer() {
    let server = Server::start(Limits::default());
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x0a\x01\x02\x03\x0a\x01\x02\x04\x13\x88\x2a\x9f";
    for (header, remote) in
        [(b"PROXY TCP4 10.9.8.7 10.1.1.1 5000 10911\r\n".as_slice(), "10.9.8.7:5000"), (v2, "10.1.2.3:5000")]
    {
        let mut peer = server.peer().await;
        for byte in header {
            peer.send_bytes(&[*byte]).await;
        }
        peer.send(&request(ECHO, 1, b"")).await;
        peer.expect_echo(1, b"").await;
        assert_eq!(server.script.only_connection().remote(), remote.parse().unwrap());
        drop(peer);
        until("it is closed", || server.count(|c| &c.active) == 0).await;
    }
    let strict = Server::start(Limits { proxy_protocol: false, ..Limits::default() });
    let mut peer = strict.peer().await;
    peer.try_send_bytes(v2).await;
    peer.expect_closed().await;
    until("it is refused", || strict.counters().closed(CloseReason::BadFrame) == 1).await;
}

#[tokio::test]
async fn an_answer_to_nothing_is_dropped() {
    let server = Server::start(Limits::default());
    let mut peer = server.peer().await;
    let stray = Command { flag: 1, ..request(0, 4711, b"") };
    peer.send_bytes(&bytes_of(&[stray, request(ECHO, 1, b"fine")])).await;
    peer.expect_echo(1, b"fine").await;
}
