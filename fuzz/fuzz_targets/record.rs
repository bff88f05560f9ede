//! `cargo +nightly fuzz run record`: a record that is read is exactly as long as it says and comes back from its own encoding.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use mqcontainer::protocol::record::{self, BodyCrc, MAGIC_V1, MAGIC_V2, RecordView};
use mqcontainer::protocol::{batch, properties};

fuzz_target!(|bytes: &[u8]| {
    let _any_count = batch::messages(bytes).count();
    read(bytes);
    // Size and magic right, so that the fuzzer gets past them.
    for magic in [MAGIC_V1, MAGIC_V2] {
        let mut framed = bytes.to_vec();
        if framed.len() >= 8 {
            framed[..4].copy_from_slice(&(bytes.len() as i32).to_be_bytes());
            framed[4..8].copy_from_slice(&magic.to_be_bytes());
            read(&framed);
        }
    }
});

fn read(bytes: &[u8]) {
    let Ok(view) = RecordView::parse(bytes, BodyCrc::Trust) else {
        return;
    };
    assert_eq!(view.bytes, &bytes[..view.bytes.len()]);
    let _any_count = properties::pairs(view.properties).count();
    let mut again = BytesMut::new();
    assert!(record::encode(&view.to_new(), &mut again).is_ok());
    record::patch(&mut again, view.queue_offset, view.physical_offset, view.store_timestamp);
    let same = RecordView::parse(&again, BodyCrc::Check).map(|view| (view.to_new(), view.queue_offset));
    assert_eq!(same, Ok((view.to_new(), view.queue_offset)));
}
