//! No follower is let in before the master that joins its group leads: it could be cut back to less than it has acknowledged.

/// A follower is welcomed; whether its leader's epoch is on disk, at the end of all that the others have.
pub fn check(leads: bool) -> Result<(), String> {
    if leads { Ok(()) } else { Err("a follower is let in by a master that does not lead yet".to_owned()) }
}

#[test]
fn a_follower_that_is_let_in_early_is_noticed() {
    assert_eq!(check(true), Ok(()));
    assert!(check(false).is_err());
}
