//! A follower's log is a prefix of its leader's, byte for byte.

/// The same part of both logs.
pub fn check(at: i64, leader: &[u8], follower: &[u8]) -> Result<(), String> {
    match leader.iter().zip(follower).position(|(one, other)| one != other) {
        Some(index) => Err(format!("the logs differ at {}", at + index as i64)),
        None => Ok(()),
    }
}

#[test]
fn a_turned_bit_is_noticed() {
    assert_eq!(check(7, b"abc", b"abc"), Ok(()));
    assert!(check(7, b"abc", b"abd").is_err());
}
