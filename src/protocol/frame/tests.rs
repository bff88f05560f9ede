use proptest::prelude::*;

use super::*;
use crate::protocol::codes::{language, request};
use crate::protocol::command::{ExtFields, FLAG_ONEWAY, FLAG_RESPONSE};

fn command(serialization: Serialization) -> Command {
    let mut ext = ExtFields::default();
    ext.set("topic", "a \"quoted\" \\ topic\u{1}\n");
    ext.set("queueId", 3);
    Command {
        code: 10,
        language: language::RUST,
        version: 513,
        opaque: -7,
        flag: FLAG_ONEWAY,
        remark: Some("ä\u{1F600}\t".into()),
        ext,
        body: Body::One(Bytes::from_static(b"body")),
        serialization,
    }
}

fn decode_all(input: &mut BytesMut) -> Vec<Command> {
    std::iter::from_fn(|| decode(input).unwrap()).collect()
}

fn check_round_trip(command: &Command) {
    let mut bytes = BytesMut::from(&encode_to_bytes(command)[..]);
    assert_eq!(decode(&mut bytes), Ok(Some(command.clone())));
    assert_eq!(decode(&mut bytes), Ok(None));
}

/// A frame with this header and no body.
fn frame(kind: u8, header: &[u8]) -> BytesMut {
    let mut bytes = BytesMut::new();
    bytes.put_u32(4 + header.len() as u32);
    bytes.put_u32(u32::from(kind) << 24 | header.len() as u32);
    bytes.put_slice(header);
    bytes
}

fn check_json(header: &str, expected: &Command) {
    let mut bytes = frame(0, header.as_bytes());
    assert_eq!(decode(&mut bytes), Ok(Some(expected.clone())), "{header}");
}

#[test]
fn both_codecs_give_back_what_they_got() {
    check_round_trip(&Command::default());
    check_round_trip(&command(Serialization::Json));
    check_round_trip(&command(Serialization::Binary));
    check_round_trip(&Command { code: request::POP_MESSAGE, ..command(Serialization::Binary) });
    check_round_trip(&Command { code: 3442, flag: FLAG_RESPONSE, ..command(Serialization::Binary) });
}

#[test]
fn json_is_written_in_java_s_order() {
    let bytes = encode_to_bytes(&command(Serialization::Json));
    let expected = concat!(
        r#"{"code":10,"extFields":{"topic":"a \"quoted\" \\ topic\u0001\n","queueId":"3"},"flag":2,"language":"RUST","#,
        r#""opaque":-7,"remark":"ä😀\t","serializeTypeCurrentRPC":"JSON","version":513}"#,
        "body"
    );
    assert_eq!(std::str::from_utf8(&bytes[8..]).unwrap(), expected);
}

#[test]
fn json_is_read_as_tolerantly_as_by_java() {
    let plain = Command { code: 34, language: language::GO, ..Command::default() };
    check_json(r#"{"code":34,"language":"GO"}"#, &plain);
    check_json(r#" {"code":34,"language":9,"remark":null,"extFields":null,"new":{"a":[1,{}]}} "#, &plain);
    let number = |language| Command { language, ..plain.clone() };
    check_json(r#"{"code":34,"language":"COBOL"}"#, &number(language::OTHER));
    check_json(r#"{"code":34,"language":1000}"#, &number(language::OTHER));
    check_json(r#"{"code":34,"language":null}"#, &number(language::JAVA));
    let mut ext = ExtFields::default();
    for (name, value) in [("s", "x"), ("i", "-1"), ("b", "true"), ("f", "1.5"), ("u", "ü/")] {
        ext.set(name, value);
    }
    let fields = Command { ext, ..plain };
    check_json(
        r#"{"extFields":{"n":null,"s":"y","i":-1,"b":true,"f":1.5,"o":{"a":1},"l":[[2]],"s":"x","u":"\u00fc\/"},"code":34,"language":"GO"}"#,
        &fields,
    );
}

fn check_error(mut bytes: BytesMut, expected: &FrameError) {
    let before = bytes.clone();
    assert_eq!(decode(&mut bytes).as_ref(), Err(expected));
    assert_eq!(bytes, before, "an error takes nothing");
}

#[test]
fn lengths_are_refused_before_anything_is_read() {
    let length = |length: i32| FrameError::Length { length };
    for wrong in [-1, 0, 3, i32::MIN, MAX_FRAME as i32 - 3, i32::MAX] {
        check_error(BytesMut::from(&wrong.to_be_bytes()[..]), &length(wrong));
    }
    let longest = BytesMut::from(&(MAX_FRAME as i32 - 4).to_be_bytes()[..]);
    assert_eq!(decode(&mut longest.clone()), Ok(None));
    let word = |word: u32| {
        let mut bytes = BytesMut::from(&10_u32.to_be_bytes()[..]);
        bytes.put_u32(word);
        bytes
    };
    check_error(word(7), &FrameError::HeaderLength { header: 7, frame: 6 });
    check_error(word(2 << 24 | 6), &FrameError::SerializeType(2));
    assert_eq!(decode(&mut word(6)), Ok(None));
}

#[test]
fn other_protocols_are_named() {
    check_error(BytesMut::from(&b"\x16\x03\x01\x02\x00"[..]), &FrameError::Tls);
    for first in ["GET ", "POST", "PRI ", "PROX"] {
        let error = FrameError::OtherProtocol { first: first.into() };
        check_error(BytesMut::from(format!("{first}...").as_bytes()), &error);
    }
}

#[test]
fn bad_headers_say_what_is_wrong() {
    for header in ["", "x", "[]", "{\"code\":\"ten\"}", "{\"code\":1", "{}x", "{\"code\":99999999999}"] {
        let result = decode(&mut frame(0, header.as_bytes()));
        assert!(matches!(result, Err(FrameError::Json(_))), "{header}: {result:?}");
    }
    assert!(matches!(decode(&mut frame(0, b"{\"remark\":\"\xFF\"}")), Err(FrameError::Json(_))));
    let nested = format!("{{\"x\":{}", "[".repeat(100_000));
    assert!(matches!(decode(&mut frame(0, nested.as_bytes())), Err(FrameError::Json(_))));

    let good = encode_to_bytes(&command(Serialization::Binary));
    let header = &good[8..good.len() - 4];
    let with = |at: usize, value: &[u8]| {
        let mut bad = header.to_vec();
        bad[at..at + value.len()].copy_from_slice(value);
        frame(1, &bad)
    };
    let length = |field, length, left| FrameError::BinaryLength { field, length, left };
    check_error(frame(1, &header[..12]), &length("flag", 4, 3));
    check_error(with(13, &[0xFF; 4]), &length("remark", -1, header.len() - 17));
    check_error(with(13, &[0x7F, 0, 0, 0]), &length("remark", 0x7F00_0000, header.len() - 17));
    check_error(with(17, &[0xFF]), &FrameError::NotUtf8 { field: "remark" });
    check_error(with(28, &[0xFF, 0xFF]), &length("field name", -1, header.len() - 30));
}

#[test]
fn fields_are_bounded() {
    let fields = |count: usize| {
        let mut command = Command::default();
        for number in 0..count {
            command.ext.set(&format!("f{number}"), "");
        }
        command
    };
    check_round_trip(&fields(MAX_EXT_FIELDS));
    let mut json = BytesMut::from(&encode_to_bytes(&fields(MAX_EXT_FIELDS + 1))[..]);
    let error = decode(&mut json).unwrap_err().to_string();
    assert!(error.contains("more than 1024 header fields"), "{error}");
    let binary = Command { serialization: Serialization::Binary, ..fields(MAX_EXT_FIELDS + 1) };
    let mut binary = BytesMut::from(&encode_to_bytes(&binary)[..]);
    assert_eq!(decode(&mut binary), Err(FrameError::TooManyFields));
}

#[test]
fn the_body_stays_where_it_was_read() {
    let mut bytes = BytesMut::from(&encode_to_bytes(&command(Serialization::Json))[..]);
    let end = bytes.as_ptr_range().end;
    let decoded = decode(&mut bytes).unwrap().unwrap();
    let [body] = decoded.body.pieces() else {
        panic!("one piece expected, not {:?}", decoded.body);
    };
    assert_eq!(body.as_ptr_range().end, end);
}

#[test]
fn a_body_in_pieces_is_counted_whole() {
    let pieces = Command {
        body: Body::Many(vec![Bytes::from_static(b"bo"), Bytes::from_static(b"dy")]),
        ..command(Serialization::Binary)
    };
    let mut head = BytesMut::from(&b"before"[..]);
    encode_head(&pieces, &mut head);
    let whole = encode_to_bytes(&command(Serialization::Binary));
    assert_eq!(head[6..], whole[..whole.len() - 4]);
    check_round_trip(&pieces);
}

fn any_command() -> impl Strategy<Value = Command> {
    let numbers = (any::<i16>(), 0_u8..14, any::<i16>(), any::<i32>(), any::<i32>());
    let texts = (
        proptest::option::of("\\PC{1,12}|[\u{0}-\u{7f}]{1,12}"),
        proptest::collection::btree_map("[a-zA-Z\u{0}\"\\\\]{1,12}", "\\PC{0,12}|[\u{0}-\u{7f}]{0,12}", 0..6),
    );
    (numbers, texts, any::<Vec<u8>>(), any::<bool>()).prop_map(|(numbers, (remark, fields), body, binary)| {
        let (code, language, version, opaque, flag) = numbers;
        let mut ext = ExtFields::default();
        for (name, value) in fields {
            ext.set(&name, value);
        }
        let (code, version) = (i32::from(code), i32::from(version));
        let is_response = flag & FLAG_RESPONSE != 0;
        Command {
            code: if is_response { code } else { crate::protocol::codes::restore_truncated_request(code) },
            language,
            version,
            opaque,
            flag,
            remark,
            ext,
            body: body.into(),
            serialization: if binary { Serialization::Binary } else { Serialization::Json },
        }
    })
}

proptest! {
    #[test]
    fn every_command_comes_back(command in any_command()) {
        check_round_trip(&command);
    }

    #[test]
    fn any_split_gives_the_same_frames(commands in proptest::collection::vec(any_command(), 1..4), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let bytes: Vec<u8> = commands.iter().flat_map(|command| encode_to_bytes(command).to_vec()).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let (mut input, mut decoded) = (BytesMut::new(), Vec::new());
        for part in cuts.windows(2) {
            input.extend_from_slice(&bytes[part[0]..part[1]]);
            decoded.extend(decode_all(&mut input));
        }
        prop_assert_eq!(decoded, commands);
        prop_assert!(input.is_empty());
    }
}
