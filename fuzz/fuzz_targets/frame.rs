//! `cargo +nightly fuzz run frame`: bytes of a connection, in one piece and split in two, must give the same frames,
//! and every frame must come back from its own encoding.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use mqcontainer::protocol::body::progress::ConsumeStats;
use mqcontainer::protocol::command::Command;
use mqcontainer::protocol::frame::{self, FrameError};
use mqcontainer::protocol::json;

fn decode_all(input: &mut BytesMut, frames: &mut Vec<Command>) -> Result<(), FrameError> {
    while let Some(command) = frame::decode(input)? {
        frames.push(command);
    }
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    let mut whole = Vec::new();
    let ended = decode_all(&mut BytesMut::from(bytes), &mut whole);

    let (first, second) = bytes.split_at(bytes.first().map_or(0, |byte| usize::from(*byte) % (bytes.len() + 1)));
    let (mut input, mut split) = (BytesMut::from(first), Vec::new());
    let mut split_ended = decode_all(&mut input, &mut split);
    if split_ended.is_ok() {
        input.extend_from_slice(second);
        split_ended = decode_all(&mut input, &mut split);
    }
    assert_eq!((&split, split_ended), (&whole, ended));

    for command in whole {
        let again = frame::encode_to_bytes(&command);
        assert_eq!(frame::decode(&mut BytesMut::from(&again[..])), Ok(Some(command.clone())));
        let _any_outcome = json::from_java::<ConsumeStats>(&command.body.to_bytes());
    }
});
