//! No write is taken while another member might take one, nor by a member that does not lead the newest term that a majority follows.

/// Members that may take writes at this moment; `writer` takes one.
pub fn check(writer: usize, may: &[usize]) -> Result<(), String> {
    match may {
        [only] if *only == writer => Ok(()),
        others => Err(format!("n{writer} takes a write, and these may: {others:?}")),
    }
}

#[test]
fn two_that_may_write_are_noticed() {
    assert_eq!(check(1, &[1]), Ok(()));
    assert!(check(1, &[0, 1]).is_err() && check(1, &[0]).is_err() && check(1, &[]).is_err());
}
