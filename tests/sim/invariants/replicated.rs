//! Enough followers hold a message when its producer is told so.

/// A producer was told that `needed` followers hold everything below `end`; `held` is what each follower has had on its disk, or
/// with ASYNC_FLUSH in its page cache, at the most.
pub fn check(end: i64, needed: usize, held: &[i64]) -> Result<(), String> {
    let holding = held.iter().filter(|held| **held >= end).count();
    if holding < needed {
        return Err(format!("{needed} followers should hold everything below {end}, {holding} do: {held:?}"));
    }
    Ok(())
}

#[test]
fn a_copy_too_few_is_noticed() {
    assert_eq!(check(100, 1, &[100, 50]), Ok(()));
    assert!(check(100, 2, &[100, 99]).is_err());
}
