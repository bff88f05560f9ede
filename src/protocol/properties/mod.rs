//! Message properties: `name 0x01 value 0x02 ...`, on the wire and in records.
//!
//! Reading follows `MessageDecoder.string2messageProperties`: the last separator may be missing, a pair with an empty name or value
//! is skipped, of equal names the last one counts. Changing keeps all other bytes as they are, unlike Java, which writes
//! all pairs again in the order of a HashMap.

mod directives;
/// Names of properties with a meaning to brokers (`MessageConst`).
pub mod key;

pub use directives::Directives;

/// Between a name and its value.
pub const NAME_VALUE_SEPARATOR: u8 = 1;
/// After a pair.
pub const PAIR_SEPARATOR: u8 = 2;
/// Most bytes of properties: their length is stored in an i16.
pub const LENGTH_MAX: usize = i16::MAX as usize;

/// The pairs of stored properties, in order. Bytes, because nobody checks that a record's properties are UTF-8.
pub fn pairs(properties: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    properties.split(|byte| *byte == PAIR_SEPARATOR).filter_map(|pair| split_pair(pair))
}

/// Name and value of one pair; `None` when Java would skip it.
fn split_pair(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = pair.iter().position(|byte| *byte == NAME_VALUE_SEPARATOR)?;
    let (name, value) = (&pair[..at], &pair[at + 1..]);
    (!name.is_empty() && !value.is_empty()).then_some((name, value))
}

/// The value of `name` in stored properties; `None` also when it is not UTF-8.
#[must_use]
pub fn get_stored<'p>(properties: &'p [u8], name: &str) -> Option<&'p str> {
    let (_, value) = pairs(properties).filter(|(key, _)| *key == name.as_bytes()).last()?;
    std::str::from_utf8(value).ok()
}

/// The value of `name`.
#[must_use]
pub fn get<'p>(properties: &'p str, name: &str) -> Option<&'p str> {
    get_stored(properties.as_bytes(), name)
}

/// The pairs of a header's properties, in order.
pub fn iter(properties: &str) -> impl Iterator<Item = (&str, &str)> {
    properties.split('\u{2}').filter_map(|pair| {
        let (name, value) = pair.split_once('\u{1}')?;
        (!name.is_empty() && !value.is_empty()).then_some((name, value))
    })
}

/// Takes `name` away; all other bytes stay.
pub fn remove(properties: &mut String, name: &str) {
    if get(properties, name).is_none() {
        return;
    }
    let kept: Vec<&str> = properties
        .split_inclusive('\u{2}')
        .filter(|pair| pair.split_once('\u{1}').is_none_or(|(key, _)| key != name))
        .collect();
    *properties = kept.concat();
}

/// Sets `name` to `value`, at the end; all other bytes stay. Neither may hold a separator, or they would turn into other pairs.
pub fn set(properties: &mut String, name: &str, value: &str) {
    remove(properties, name);
    append(properties, name, value);
}

/// As [`set`], for a name that is known not to be there.
pub fn append(properties: &mut String, name: &str, value: &str) {
    let separators = ['\u{1}', '\u{2}'];
    debug_assert!(!name.contains(separators) && !value.contains(separators), "{name:?} = {value:?}");
    debug_assert!(get(properties, name).is_none(), "{name:?} is there");
    if !properties.is_empty() && !properties.ends_with('\u{2}') {
        properties.push('\u{2}');
    }
    properties.reserve(name.len() + value.len() + 2);
    properties.push_str(name);
    properties.push('\u{1}');
    properties.push_str(value);
    properties.push('\u{2}');
}

/// Properties of these pairs; those with an empty name or value would not be read back and are left out.
#[must_use]
pub fn from_pairs<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    let mut properties = String::new();
    for (name, value) in pairs {
        if !name.is_empty() && !value.is_empty() {
            set(&mut properties, name, value);
        }
    }
    properties
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(properties: &str, expected: &[(&str, &str)]) {
        assert_eq!(iter(properties).collect::<Vec<_>>(), expected);
        let stored: Vec<_> = pairs(properties.as_bytes()).collect();
        let expected: Vec<_> = expected.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        assert_eq!(stored, expected);
    }

    #[test]
    fn pairs_are_read_as_in_java() {
        check("", &[]);
        check("a\u{1}b\u{2}", &[("a", "b")]);
        check("a\u{1}b", &[("a", "b")]);
        check("a\u{1}\u{2}\u{1}b\u{2}ab\u{2}\u{2}k\u{1}v\u{1}w\u{2}", &[("k", "v\u{1}w")]);
    }

    #[test]
    fn the_last_of_equal_names_counts_and_all_are_replaced() {
        let mut properties = "a\u{1}1\u{2}b\u{1}x\u{2}a\u{1}2".to_owned();
        assert_eq!(get(&properties, "a"), Some("2"));
        set(&mut properties, "a", "3");
        assert_eq!(properties, "b\u{1}x\u{2}a\u{1}3\u{2}");
        remove(&mut properties, "c");
        remove(&mut properties, "b");
        assert_eq!(properties, "a\u{1}3\u{2}");
    }

    proptest! {
        #[test]
        fn pairs_come_back(map in proptest::collection::btree_map("[^\u{1}\u{2}]{1,8}", "[^\u{1}\u{2}]{1,8}", 0..8)) {
            let properties = from_pairs(map.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            let mut read: Vec<_> = iter(&properties).collect();
            read.sort_unstable();
            let expected: Vec<_> = map.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn other_bytes_stay(properties in "[ab\u{1}\u{2}]{0,24}") {
            let mut changed = properties.clone();
            set(&mut changed, "new", "x");
            prop_assert_eq!(get(&changed, "new"), Some("x"));
            let before: Vec<_> = iter(&properties).collect();
            let after: Vec<_> = iter(&changed).filter(|(name, _)| *name != "new").collect();
            prop_assert_eq!(before, after);
        }
    }
}
