//! Unique keys for messages whose producer gave none (Java: `MessageClientIDSetter`; reference/remoting.md 4.5).

use std::fmt::Write;
use std::net::IpAddr;

use crate::protocol::ids::Millis;

/// About a month: Java counts milliseconds from the start of the month, so that the number fits in 32 bits.
const MONTH_MILLIS: i64 = 31 * 24 * 3_600_000;

/// Makes keys of ip, two seeds in place of process and class loader, time and counter, in hex.
#[derive(Debug)]
pub struct UniqueIds {
    prefix: String,
    counter: u16,
}

impl UniqueIds {
    /// Keys of the broker at `ip`.
    #[must_use]
    pub fn new(ip: IpAddr, seed: u64) -> UniqueIds {
        let mut prefix = String::with_capacity(44);
        match ip {
            IpAddr::V4(ip) => push_hex(&mut prefix, &ip.octets()),
            IpAddr::V6(ip) => push_hex(&mut prefix, &ip.octets()),
        }
        push_hex(&mut prefix, &seed.to_be_bytes()[..6]);
        UniqueIds { prefix, counter: 0 }
    }

    /// The next key; unique as long as fewer than 65,536 are made per millisecond.
    pub fn next(&mut self, now: Millis) -> String {
        let since = u32::try_from(now.0.rem_euclid(MONTH_MILLIS)).unwrap_or(0);
        self.counter = self.counter.wrapping_add(1);
        let mut key = self.prefix.clone();
        push_hex(&mut key, &since.to_be_bytes());
        push_hex(&mut key, &self.counter.to_be_bytes());
        key
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let wrote = write!(text, "{byte:02X}");
        debug_assert!(wrote.is_ok(), "writing into a String does not fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_length_and_alphabet_of_javas() {
        let mut ids = UniqueIds::new(IpAddr::from([127, 0, 0, 1]), 0x0102_0304_0506_0708);
        let (first, second) = (ids.next(Millis(1)), ids.next(Millis(1)));
        assert_eq!(first, "7F000001010203040506000000010001");
        assert_eq!(second, "7F000001010203040506000000010002");
    }
}
