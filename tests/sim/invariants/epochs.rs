//! Each life of a leader writes under a number of its own.

/// The numbers of the lives of one leader, in order.
pub fn check(lives: &[i32]) -> Result<(), String> {
    if lives.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(format!("epochs do not grow: {lives:?}"));
    }
    Ok(())
}

#[test]
fn a_number_used_twice_is_noticed() {
    assert_eq!(check(&[1, 2, 5]), Ok(()));
    assert!(check(&[1, 2, 2]).is_err());
}
