//! Nonsense for the decoders: recorded frames with bytes changed, cut or repeated, by seeds that stay the same.
//!
//! `fuzz/` runs the same two decoders under cargo-fuzz for as long as one likes.

use bytes::BytesMut;
use mqcontainer::protocol::frame::{self, MAX_FRAME};
use mqcontainer::protocol::headers::{pull::PullRequest, send::SendRequest};
use mqcontainer::protocol::record::{BodyCrc, RecordView};
use mqcontainer::protocol::{batch, json, properties};

use crate::golden;

const MUTATIONS_PER_FRAME: u64 = 300;

/// xorshift64*: enough chance for a test, and the same on every machine.
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        const TELLING: [u8; 8] = [0, 1, 0x7F, 0x80, 0xFF, b'"', b'{', b'\\'];
        for _ in 0..=self.below(4) {
            if bytes.is_empty() {
                return;
            }
            let at = self.below(bytes.len());
            match self.below(5) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = TELLING[self.below(TELLING.len())],
                2 => bytes.truncate(at),
                3 => bytes.insert(at, self.below(256) as u8),
                _ => {
                    let end = (at + self.below(16)).min(bytes.len());
                    bytes.extend_from_within(at..end);
                }
            }
        }
    }
}

/// Decodes as a connection does: frame by frame until more is needed or an error closes it.
fn read_connection(bytes: &[u8]) -> usize {
    let mut input = BytesMut::from(bytes);
    let mut frames = 0;
    while let Ok(Some(command)) = frame::decode(&mut input) {
        frames += 1;
        let again = frame::encode_to_bytes(&command);
        assert_eq!(frame::decode(&mut BytesMut::from(&again[..])), Ok(Some(command.clone())));
        let body = command.body.to_bytes();
        let read = SendRequest::decode(&command.ext).is_ok() as usize
            + PullRequest::decode(&command.ext).is_ok() as usize
            + json::from_java::<serde_json::Value>(&body).is_ok() as usize
            + batch::messages(&body).count();
        assert!(read <= 3 + body.len());
        read_record(&body);
    }
    assert!(input.len() <= bytes.len());
    frames
}

/// A record that is read is exactly as long as it says.
fn read_record(bytes: &[u8]) -> bool {
    let Ok(view) = RecordView::parse(bytes, BodyCrc::Trust) else {
        return false;
    };
    assert_eq!(view.bytes, &bytes[..view.bytes.len()]);
    assert!(properties::pairs(view.properties).count() <= view.properties.len());
    true
}

#[test]
fn mutated_frames_never_panic_and_never_misread() {
    let mut decoded = 0;
    for (number, golden) in golden::all().iter().enumerate() {
        for seed in 0..MUTATIONS_PER_FRAME {
            let mut bytes = golden.bytes.clone();
            Chance::new(seed << 16 | number as u64).mutate(&mut bytes);
            decoded += read_connection(&bytes);
        }
    }
    assert!(decoded > 0, "some mutations leave a frame whole");
}

#[test]
fn mutated_records_never_panic_and_never_misread() {
    let golden = golden::all();
    let pull = golden.iter().find(|golden| golden.request == 11 && golden.response == Some(0)).unwrap();
    let record = golden::decode(pull).body.to_bytes();
    assert!(read_record(&record));
    let mut decoded = 0;
    for seed in 0..20_000 {
        let mut bytes = record.to_vec();
        Chance::new(seed).mutate(&mut bytes);
        decoded += usize::from(read_record(&bytes));
    }
    assert!((1..20_000).contains(&decoded), "{decoded}");
}

#[test]
fn noise_is_refused_after_its_first_bytes_or_waits_for_a_frame() {
    for seed in 0..20_000 {
        let mut chance = Chance::new(seed);
        let mut bytes: Vec<u8> = (0..8 + chance.below(64)).map(|_| chance.below(256) as u8).collect();
        // Half of it starts with a length that could be one.
        if seed % 2 == 0 {
            bytes[..2].fill(0);
        }
        let length = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        let refused = frame::decode(&mut BytesMut::from(&bytes[..])).is_err();
        assert!(refused || (4..=MAX_FRAME - 4).contains(&length), "{bytes:?}");
    }
}
