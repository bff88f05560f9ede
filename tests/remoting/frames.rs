//! What is sent arrives, whatever the cuts, and is answered once.

use std::sync::atomic::Ordering;

use mqcontainer::protocol::codes::{language, version};
use mqcontainer::protocol::command::Serialization;
use mqcontainer::remoting::Limits;

use crate::harness::*;

#[tokio::test]
async fn an_answer_repeats_opaque_and_codec_and_says_who_we_are() {
    let server = Server::start(Limits::default());
    let mut peer = server.peer().await;
    for (opaque, codec) in [(5, Serialization::Json), (-6, Serialization::Binary)] {
        let mut command = request(ECHO, opaque, b"hello");
        command.serialization = codec;
        command.ext.set("topic", "T");
        peer.send(&command).await;
        let answer = peer.expect_echo(opaque, b"hello").await;
        assert_eq!(answer.serialization, codec);
        assert_eq!(answer.ext, command.ext);
        assert_eq!((answer.version, answer.language), (version::OURS, language::RUST));
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_few_writes() {
    let server = Server::start(Limits::default());
    let mut peer = server.peer().await;
    let commands: Vec<_> = (0..200)
        .map(|n| if n % 2 == 0 { request(ECHO, n, b"pipelined") } else { binary(request(ECHO, n, b"pipelined")) })
        .collect();
    peer.send_bytes(&bytes_of(&commands)).await;
    for n in 0..200 {
        peer.expect_echo(n, b"pipelined").await;
    }
    assert_eq!(server.count(|c| &c.frames_in), 200);
    assert_eq!(server.count(|c| &c.frames_out), 200);
    let (reads, writes) = (server.count(|c| &c.reads), server.count(|c| &c.writes));
    // Answers that are ready together go out together, 64 at a time.
    assert!(writes <= reads + 200 / 64, "{reads} reads, {writes} writes");
}

#[tokio::test]
async fn answers_that_come_together_leave_together() {
    let server = Server::start(Limits::default());
    let mut peer = server.peer().await;
    let commands: Vec<_> = (0..100).map(|n| request(HOLD, n, b"held")).collect();
    peer.send_bytes(&bytes_of(&commands)).await;
    until("all are held", || server.script.held() == 100).await;
    let before = server.count(|c| &c.writes);
    // The test runs on the connection's thread, so the connection cannot write in between.
    server.script.release(100);
    for n in 0..100 {
        peer.expect_echo(n, b"held").await;
    }
    assert_eq!(server.count(|c| &c.writes) - before, 1);
}

#[tokio::test]
async fn any_cut_of_the_bytes_gives_the_same_answers() {
    let server = Server::start(Limits::default());
    let commands = [request(ECHO, 1, b"first"), binary(request(ECHO, 2, b"second")), request(ECHO, 3, b"")];
    let bytes = bytes_of(&commands);
    for cut in 1..bytes.len() {
        let mut peer = server.peer().await;
        peer.send_bytes(&bytes[..cut]).await;
        let complete_before = server.count(|c| &c.reads);
        until("the first part is read", || server.count(|c| &c.reads) >= complete_before.min(1)).await;
        peer.send_bytes(&bytes[cut..]).await;
        peer.expect_echo(1, b"first").await;
        peer.expect_echo(2, b"second").await;
        peer.expect_echo(3, b"").await;
    }
    assert_eq!(server.transport.partial_bytes(), 0);
}

#[tokio::test]
async fn single_bytes_make_frames() {
    let server = Server::start(Limits::default());
    let mut peer = server.peer().await;
    for (sent, byte) in bytes_of(&[request(ECHO, 9, b"drip")]).iter().enumerate() {
        peer.send_bytes(&[*byte]).await;
        until("the byte is read", || server.count(|c| &c.bytes_in) == sent as u64 + 1).await;
    }
    peer.expect_echo(9, b"drip").await;
}

#[tokio::test]
async fn big_frames_pass_and_their_memory_comes_back() {
    let server = Server::start(Limits::default());
    let mut peer = server.peer().await;
    for (opaque, length) in [(1, 60_000), (2, 65_536), (3, 70_000), (4, 4 << 20), (5, 15 << 20), (6, 10)] {
        let body: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        let bytes = bytes_of(&[request(ECHO, opaque, &body), request(ECHO, opaque + 100, b"small")]);
        let (mut reader, mut writer) = peer.stream.split();
        let sending = tokio::io::AsyncWriteExt::write_all(&mut writer, &bytes);
        let mut received = bytes::BytesMut::new();
        let receiving = async {
            let mut bodies = Vec::new();
            while bodies.len() < 2 {
                tokio::io::AsyncReadExt::read_buf(&mut reader, &mut received).await.unwrap();
                while let Some(answer) = mqcontainer::protocol::frame::decode(&mut received).unwrap() {
                    bodies.push(answer.body.to_bytes());
                }
            }
            bodies
        };
        let (sent, bodies) = in_time(async { tokio::join!(sending, receiving) }).await;
        sent.unwrap();
        assert!(bodies[0] == body && bodies[1] == b"small"[..]);
    }
    until("no memory is held", || {
        server.transport.partial_bytes() == 0
            && server.transport.request_bytes() == 0
            && server.transport.outbound_bytes() == 0
    })
    .await;
}

#[tokio::test]
async fn oneway_requests_get_no_answer() {
    let server = Server::start(Limits::default());
    let mut peer = server.peer().await;
    peer.send_bytes(&bytes_of(&[oneway(ECHO, 1), oneway(DROP, 2), oneway(12345, 3), request(ECHO, 4, b"end")])).await;
    peer.expect_echo(4, b"end").await;
    assert_eq!(server.script.oneways.load(Ordering::SeqCst), 3);
    assert_eq!(server.count(|c| &c.frames_out), 1);
}

#[tokio::test]
async fn unknown_codes_and_dropped_slots_are_answered() {
    let server = Server::start(Limits::default());
    let mut peer = server.peer().await;
    peer.send_bytes(&bytes_of(&[request(4711, 1, b""), request(DROP, 2, b"")])).await;
    let unknown = peer.receive().await.unwrap();
    assert_eq!((unknown.opaque, unknown.code), (1, 3));
    assert_eq!(unknown.remark.as_deref(), Some(" request type 4711 not supported"));
    let dropped = peer.receive().await.unwrap();
    assert_eq!((dropped.opaque, dropped.code), (2, 1));
    assert!(dropped.remark.unwrap().contains("given up"));
}

#[tokio::test]
async fn an_answer_that_no_frame_can_carry_becomes_an_error() {
    let server = Server::start(Limits::default());
    let mut peer = server.peer().await;
    peer.send_bytes(&bytes_of(&[blob(1, 17 << 20), request(ECHO, 2, b"still here")])).await;
    let answer = peer.receive().await.unwrap();
    assert_eq!((answer.opaque, answer.code), (1, 1));
    assert!(answer.remark.unwrap().contains("longer than a frame"));
    peer.expect_echo(2, b"still here").await;
}
