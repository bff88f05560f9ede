//! Java's `String.hashCode`, which is on disk (tags codes, index keys) and on the wire (subscriptions).

/// `String.hashCode`: over UTF-16 units.
#[must_use]
pub fn string_hash(text: &str) -> i32 {
    extend(0, text)
}

/// The hash of a text that goes on with `text` after one that hashes to `hash`.
fn extend(hash: i32, text: &str) -> i32 {
    let step = |hash: i32, unit: u16| hash.wrapping_mul(31).wrapping_add(i32::from(unit));
    if text.is_ascii() {
        return text.bytes().fold(hash, |hash, byte| step(hash, u16::from(byte)));
    }
    text.encode_utf16().fold(hash, step)
}

/// The tags code of a consume queue entry: the hash of `TAGS`, sign-extended; 0 without tags (`MessageExtBrokerInner.tagsString2tagsCode`).
#[must_use]
pub fn tags_code(tags: Option<&str>) -> i64 {
    tags.map_or(0, |tags| i64::from(string_hash(tags)))
}

/// The key hash of an index file: `abs(hash("topic#key"))`, 0 for the one number without an absolute value
/// (`IndexFile.indexKeyHashMethod`).
#[must_use]
pub fn index_key_hash(topic: &str, key: &str) -> i32 {
    index_key_hash_of(topic, [key])
}

/// The key hash of a key that consists of these parts.
#[must_use]
pub fn index_key_hash_of<'k>(topic: &str, parts: impl IntoIterator<Item = &'k str>) -> i32 {
    let hash = parts.into_iter().fold(extend(string_hash(topic), "#"), extend);
    hash.checked_abs().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: i32) {
        assert_eq!(string_hash(text), expected, "{text:?}");
    }

    #[test]
    fn hashes_are_java_s() {
        check("", 0);
        check("TagA", 2598919);
        check("hello world", 1794106052);
        check("polygenelubricants", i32::MIN);
        check("\u{1F600}", 1772899);
        check("中文", 646394);
    }

    #[test]
    fn codes_on_disk() {
        assert_eq!(tags_code(None), 0);
        assert_eq!(tags_code(Some("polygenelubricants")), i64::from(i32::MIN));
        assert_eq!(index_key_hash("t", "k"), string_hash("t#k").abs());
    }
}
