//! The PROXY protocol header (v1 text, v2 binary) that a load balancer puts before the first frame. Pure.
//!
//! Format: <https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>; Java accepts it through Netty's
//! `HAProxyMessageDecoder` (`NettyRemotingServer.HandshakeHandler`). Only the source address is used; TLVs are skipped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const V1_START: &[u8] = b"PROXY ";
/// Longest v1 line with its CRLF, as the specification fixes it.
const V1_LENGTH_MAX: usize = 107;
const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_FIXED: usize = 16;
/// Longest v2 address part we read; the specification allows 65535, real headers with TLVs need a few hundred.
const V2_REST_MAX: usize = 4096;

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detected {
    /// Not a PROXY header: frames begin at once.
    Absent,
    /// Could still become one.
    Incomplete,
    /// A header of `length` bytes. `source` is absent for health checks of the balancer (LOCAL, UNKNOWN, unix sockets).
    Header { length: usize, source: Option<SocketAddr> },
    /// Starts like one, but is none.
    Invalid(&'static str),
}

pub(super) fn detect(input: &[u8]) -> Detected {
    if starts_alike(input, V1_START) {
        detect_v1(input)
    } else if starts_alike(input, V2_START) {
        detect_v2(input)
    } else {
        Detected::Absent
    }
}

/// Whether `input` and `start` agree as far as both go.
fn starts_alike(input: &[u8], start: &[u8]) -> bool {
    input.iter().zip(start).all(|(have, want)| have == want)
}

fn detect_v1(input: &[u8]) -> Detected {
    let head = &input[..input.len().min(V1_LENGTH_MAX)];
    let Some(line_length) = head.windows(2).position(|pair| pair == b"\r\n") else {
        return if input.len() < V1_LENGTH_MAX {
            Detected::Incomplete
        } else {
            Detected::Invalid("PROXY v1 header without end of line in 107 bytes")
        };
    };
    let Ok(line) = std::str::from_utf8(&head[..line_length]) else {
        return Detected::Invalid("PROXY v1 header is not ASCII");
    };
    let length = line_length + 2;
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => Detected::Header { length, source: None },
        ["PROXY", "TCP4" | "TCP6", source, _, port, _] => match (source.parse::<IpAddr>(), port.parse::<u16>()) {
            (Ok(ip), Ok(port)) => Detected::Header { length, source: Some(SocketAddr::new(ip, port)) },
            _ => Detected::Invalid("PROXY v1 header with an unreadable source address"),
        },
        _ => Detected::Invalid("PROXY v1 header is neither TCP4, TCP6 nor UNKNOWN"),
    }
}

fn detect_v2(input: &[u8]) -> Detected {
    let Some((fixed, rest)) = input.split_first_chunk::<V2_FIXED>() else {
        return Detected::Incomplete;
    };
    let [.., version_command, family, high, low] = *fixed;
    let rest_length = usize::from(u16::from_be_bytes([high, low]));
    if version_command >> 4 != 2 {
        return Detected::Invalid("PROXY v2 header of another version");
    }
    if rest_length > V2_REST_MAX {
        return Detected::Invalid("PROXY v2 header of more than 4096 bytes");
    }
    let Some(addresses) = rest.get(..rest_length) else {
        return Detected::Incomplete;
    };
    let length = V2_FIXED + rest_length;
    match (version_command & 0x0f, family >> 4) {
        (0, _) | (1, 0 | 3) => Detected::Header { length, source: None },
        (1, 1) => with_source(length, source_v4(addresses)),
        (1, 2) => with_source(length, source_v6(addresses)),
        _ => Detected::Invalid("PROXY v2 header with an unknown command or address family"),
    }
}

fn with_source(length: usize, source: Option<SocketAddr>) -> Detected {
    match source {
        Some(_) => Detected::Header { length, source },
        None => Detected::Invalid("PROXY v2 header is too short for its addresses"),
    }
}

/// Source address 4, destination address 4, source port 2, destination port 2.
fn source_v4(addresses: &[u8]) -> Option<SocketAddr> {
    let fields: &[u8; 12] = addresses.first_chunk()?;
    let [a, b, c, d, _, _, _, _, high, low, _, _] = *fields;
    Some(SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([high, low])))
}

/// Source address 16, destination address 16, source port 2, destination port 2.
fn source_v6(addresses: &[u8]) -> Option<SocketAddr> {
    let fields: &[u8; 36] = addresses.first_chunk()?;
    let source: &[u8; 16] = fields.first_chunk()?;
    let port: &[u8; 2] = fields.get(32..)?.first_chunk()?;
    Some(SocketAddr::new(Ipv6Addr::from(*source).into(), u16::from_be_bytes(*port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: Detected) {
        assert_eq!(detect(input), expected, "{}", String::from_utf8_lossy(input));
    }

    fn header(length: usize, source: &str) -> Detected {
        Detected::Header { length, source: Some(source.parse().unwrap()) }
    }

    fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let mut bytes = V2_START.to_vec();
        bytes.extend([command, family]);
        bytes.extend((addresses.len() as u16).to_be_bytes());
        bytes.extend(addresses);
        bytes
    }

    #[test]
    fn frames_are_not_headers() {
        check(&[0, 0, 0, 20, 0, 0], Detected::Absent);
        check(b"GET / HTTP/1.1", Detected::Absent);
        check(b"PROXIMITY", Detected::Absent);
        check(b"\r\n\r\nquit", Detected::Absent);
    }

    #[test]
    fn version_1() {
        check(b"PROXY TCP4 10.0.0.1 10.0.0.2 5000 10911\r\nrest", header(41, "10.0.0.1:5000"));
        check(b"PROXY TCP6 ::1 ::2 5000 10911\r\n", header(31, "[::1]:5000"));
        check(b"PROXY UNKNOWN\r\n", Detected::Header { length: 15, source: None });
        check(
            b"PROXY TCP4 10.0.0.300 10.0.0.2 5000 1\r\n",
            Detected::Invalid("PROXY v1 header with an unreadable source address"),
        );
        check(b"PROXY UDP4\r\n", Detected::Invalid("PROXY v1 header is neither TCP4, TCP6 nor UNKNOWN"));
        check(
            &[b"PROXY ".as_slice(), &[b'x'; 200]].concat(),
            Detected::Invalid("PROXY v1 header without end of line in 107 bytes"),
        );
    }

    #[test]
    fn version_2() {
        let v4 = [10, 0, 0, 1, 10, 0, 0, 2, 0x13, 0x88, 0, 1, 9, 9, 9];
        check(&v2(0x21, 0x11, &v4), header(31, "10.0.0.1:5000"));
        let mut v6 = [0u8; 36];
        v6[15] = 1;
        v6[32..34].copy_from_slice(&5000u16.to_be_bytes());
        check(&v2(0x21, 0x21, &v6), header(52, "[::1]:5000"));
        check(&v2(0x20, 0, &[]), Detected::Header { length: 16, source: None });
        check(&v2(0x21, 0x11, &v4[..8]), Detected::Invalid("PROXY v2 header is too short for its addresses"));
        check(&v2(0x31, 0x11, &v4), Detected::Invalid("PROXY v2 header of another version"));
        check(&v2(0x21, 0x11, &[0; 5000]), Detected::Invalid("PROXY v2 header of more than 4096 bytes"));
    }

    #[test]
    fn every_prefix_of_a_header_is_incomplete() {
        let v4 = [10, 0, 0, 1, 10, 0, 0, 2, 0x13, 0x88, 0, 1];
        for whole in [b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n".to_vec(), v2(0x21, 0x11, &v4)] {
            for end in 0..whole.len() {
                check(&whole[..end], Detected::Incomplete);
            }
        }
    }
}
