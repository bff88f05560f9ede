//! `offsetMsgId`: where a message is stored, as 32 (IPv4) or 56 (IPv6) upper-case hex digits.
//!
//! ```text
//! store host ip 4/16 | port i32 | commit log offset i64
//! ```
//!
//! Follows `MessageDecoder.createMessageId` and `decodeMessageId`. Clients send back, look up and end transactions at the
//! address in it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::ids::PhysicalOffset;

/// The id of the message at `offset` of the broker at `store_host`.
#[must_use]
pub fn encode(store_host: SocketAddr, offset: PhysicalOffset) -> String {
    let mut id = String::with_capacity(56);
    encode_into(store_host, offset, &mut id);
    id
}

/// Appends the id, so that those of a batch fill one text.
pub fn encode_into(store_host: SocketAddr, offset: PhysicalOffset, out: &mut String) {
    match store_host.ip() {
        IpAddr::V4(ip) => push_hex(&ip.octets(), out),
        IpAddr::V6(ip) => push_hex(&ip.octets(), out),
    }
    push_hex(&u32::from(store_host.port()).to_be_bytes(), out);
    push_hex(&offset.0.to_be_bytes(), out);
}

fn push_hex(bytes: &[u8], out: &mut String) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 0xf)]);
    }
}

/// Reads an id; `None` when it is none (a `UNIQ_KEY` has the same length but its port is out of range most of the time).
#[must_use]
pub fn decode(id: &str) -> Option<(SocketAddr, PhysicalOffset)> {
    let mut bytes = [0_u8; 28];
    let bytes = bytes.get_mut(..id.len() / 2)?;
    if !id.len().is_multiple_of(2) || !id.is_ascii() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(id.as_bytes().chunks_exact(2)) {
        *byte = hex_digit(digits[0])? << 4 | hex_digit(digits[1])?;
    }
    let (ip, rest): (IpAddr, &[u8]) = match bytes.len() {
        16 => {
            let (ip, rest) = bytes.split_first_chunk::<4>()?;
            (Ipv4Addr::from(*ip).into(), rest)
        }
        28 => {
            let (ip, rest) = bytes.split_first_chunk::<16>()?;
            (Ipv6Addr::from(*ip).into(), rest)
        }
        _ => return None,
    };
    let (port, offset) = rest.split_first_chunk::<4>()?;
    let port = u16::try_from(u32::from_be_bytes(*port)).ok()?;
    let offset = i64::from_be_bytes(*offset.first_chunk()?);
    Some((SocketAddr::new(ip, port), PhysicalOffset(offset)))
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, offset: i64, id: &str) {
        let host: SocketAddr = host.parse().unwrap();
        assert_eq!(encode(host, PhysicalOffset(offset)), id);
        assert_eq!(decode(id), Some((host, PhysicalOffset(offset))));
        assert_eq!(decode(&id.to_lowercase()), Some((host, PhysicalOffset(offset))));
    }

    #[test]
    fn ids_of_both_address_families() {
        check("127.0.0.1:10911", 258, "7F00000100002A9F0000000000000102");
        check("[::1]:10911", i64::MAX, "0000000000000000000000000000000100002A9F7FFFFFFFFFFFFFFF");
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in [
            "",
            "7F",
            "7F00000100002A9F000000000000010",
            "G".repeat(32).as_str(),
            "ä".repeat(16).as_str(),
            "7F000001FFFFFFFF0000000000000102",
            "0".repeat(58).as_str(),
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
