//! Names of files and folders (Java: `UtilAll.offset2FileName`, `StorePathConfigHelper`).

use std::path::{Path, PathBuf};

use super::error::TopicError;

/// Bytes of a topic: what a folder name holds on every file system, and Java's limit.
pub(super) const TOPIC_BYTES_MAX: usize = 255;

/// The file that holds byte `offset` first: 20 digits.
pub(super) fn offset_name(offset: i64) -> String {
    format!("{offset:020}")
}

/// The offset in a file name; none when it is no such name.
pub(super) fn parse_offset_name(name: &str) -> Option<i64> {
    if name.len() != 20 || !name.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    name.parse().ok()
}

/// The folder of one queue below `consumequeue`.
pub(super) fn queue_dir(consume_queue: &Path, topic: &str, queue: i32) -> PathBuf {
    consume_queue.join(topic).join(queue.to_string())
}

/// Whether a topic may become the name of a folder. Looser than what clients may send: what Java wrote must open.
pub(super) fn check_topic(topic: &str) -> Result<(), TopicError> {
    if topic.is_empty() {
        return Err(TopicError::Empty);
    }
    if topic.len() > TOPIC_BYTES_MAX {
        return Err(TopicError::TooLong { size: topic.len(), max: TOPIC_BYTES_MAX });
    }
    let harmful = |c: char| c == '/' || c == '\\' || c.is_control();
    if topic == "." || topic == ".." || topic.contains(harmful) {
        return Err(TopicError::Character(topic.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_twenty_digits_and_nothing_else() {
        assert_eq!(offset_name(1_073_741_824), "00000000001073741824");
        assert_eq!(parse_offset_name("00000000001073741824"), Some(1_073_741_824));
        for wrong in ["", "1073741824", "0000000000107374182x", "00000000001073741824.tmp", "-0000000001073741824"] {
            assert_eq!(parse_offset_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn topics_that_would_leave_their_folder_are_refused() {
        for fine in ["TopicTest", "%RETRY%group", "a.b", "..."] {
            assert_eq!(check_topic(fine), Ok(()), "{fine}");
        }
        assert_eq!(check_topic(""), Err(TopicError::Empty));
        assert_eq!(check_topic(&"x".repeat(256)), Err(TopicError::TooLong { size: 256, max: 255 }));
        for wrong in ["..", ".", "a/b", "../etc", "a\\b", "a\0b", "a\nb"] {
            assert_eq!(check_topic(wrong), Err(TopicError::Character(wrong.to_owned())), "{wrong}");
        }
    }
}
