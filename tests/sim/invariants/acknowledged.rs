//! An acknowledged message survives: after a restart the leader's log is not shorter than what it has acknowledged, unless it had
//! promised less (ASYNC_FLUSH and a power failure).

/// The leader is back with a log that ends at `end`; `promised` is the end of the last message it had to keep.
pub fn check(end: i64, promised: i64) -> Result<(), String> {
    if end < promised {
        return Err(format!("the log ends at {end}, messages up to {promised} were acknowledged"));
    }
    Ok(())
}

#[test]
fn a_lost_message_is_noticed() {
    assert_eq!(check(100, 100), Ok(()));
    assert!(check(99, 100).is_err());
}
