//! Every file of `golden/`, one frame each; its README says what the names mean.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::{BufMut, BytesMut};
use mqcontainer::protocol::codes::request_name;
use mqcontainer::protocol::command::{Command, Serialization};
use mqcontainer::protocol::frame;

use crate::{bodies, headers};

/// One recorded frame.
pub(crate) struct Golden {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) binary: bool,
    /// Code of the request, also for a response.
    pub(crate) request: i32,
    /// Code of the response; `None` for a request.
    pub(crate) response: Option<i32>,
}

pub(crate) fn all() -> Vec<Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/golden");
    let mut frames: Vec<Golden> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bin"))
        .map(|path| named(path.file_stem().unwrap().to_str().unwrap(), std::fs::read(&path).unwrap()))
        .collect();
    frames.sort_by(|a, b| a.name.cmp(&b.name));
    frames
}

fn named(name: &str, bytes: Vec<u8>) -> Golden {
    let parts: Vec<&str> = name.split('-').collect();
    let [_version, codec, code, direction, rest @ ..] = parts.as_slice() else {
        panic!("{name} is not VERSION-CODEC-CODE-DIRECTION[-N]");
    };
    let answer = rest.first().map_or(0, |code| code.parse().unwrap());
    Golden {
        name: name.to_owned(),
        bytes,
        binary: *codec == "binary",
        request: code.parse().unwrap(),
        response: (*direction == "response").then_some(answer),
    }
}

pub(crate) fn decode(golden: &Golden) -> Command {
    let mut input = BytesMut::from(&golden.bytes[..]);
    let command = frame::decode(&mut input).unwrap().unwrap();
    assert!(input.is_empty(), "{}: one frame per file", golden.name);
    command
}

#[test]
fn frames_are_what_their_names_say_and_are_written_byte_for_byte() {
    for golden in all() {
        let command = decode(&golden);
        let name = &golden.name;
        assert_eq!(command.serialization == Serialization::Binary, golden.binary, "{name}");
        assert_eq!(command.is_response(), golden.response.is_some(), "{name}");
        assert_eq!(command.code, golden.response.unwrap_or(golden.request), "{name}");
        assert!(request_name(golden.request).is_some(), "{name}");
        let written = frame::encode_to_bytes(&command);
        assert_eq!(written[8..], without_empty_fields(&golden.bytes)[8..], "{name}");
        if written.len() == golden.bytes.len() {
            assert_eq!(written, golden.bytes, "{name}");
        }
    }
}

/// Java writes `"extFields":{}` for a header class without a value; to every reader that is the same as no fields at all.
fn without_empty_fields(frame: &[u8]) -> Vec<u8> {
    const EMPTY: &[u8] = b"\"extFields\":{},";
    match frame.windows(EMPTY.len()).position(|part| part == EMPTY) {
        Some(at) => [&frame[..at], &frame[at + EMPTY.len()..]].concat(),
        None => frame.to_vec(),
    }
}

#[test]
fn frames_may_arrive_byte_by_byte() {
    for golden in all() {
        let mut input = BytesMut::new();
        let (last, before) = golden.bytes.split_last().unwrap();
        for byte in before {
            input.put_u8(*byte);
            assert_eq!(frame::decode(&mut input), Ok(None), "{}", golden.name);
        }
        input.put_u8(*last);
        assert_eq!(frame::decode(&mut input), Ok(Some(decode(&golden))), "{}", golden.name);
    }
}

#[test]
fn typed_headers_hold_every_field() {
    for golden in all() {
        headers::check(&golden, &decode(&golden));
    }
}

#[test]
fn typed_bodies_hold_every_member() {
    for golden in all() {
        bodies::check(&golden, &decode(&golden));
    }
}

/// The recordings keep covering what clients do: a lost file must not go unnoticed.
#[test]
fn the_data_path_is_recorded() {
    let recorded: BTreeSet<(bool, i32)> =
        all().iter().map(|golden| (golden.response.is_some(), golden.request)).collect();
    for code in [11, 12, 14, 29, 30, 31, 33, 34, 36, 38, 41, 103, 105, 310, 320, 361] {
        assert!(recorded.contains(&(false, code)) && recorded.contains(&(true, code)), "{code}");
    }
}
