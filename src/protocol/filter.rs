//! Tag expressions of subscriptions: `*`, or tags with `||` between them (Java: `FilterAPI`, `ExpressionType`).

use super::java_hash;

/// The expression type of tags; every other type needs the message itself.
pub const TAG: &str = "TAG";

/// Tags one expression may name.
pub const TAGS_MAX: usize = 4_096;

/// A tag expression that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Only separators.
    #[error("the expression {0:?} names no tag")]
    Empty(String),
    /// More than [`TAGS_MAX`].
    #[error("the expression names {0} tags, at most {TAGS_MAX} are allowed")]
    TooMany(usize),
}

/// Which tags codes a reader wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagFilter {
    /// Every message.
    All,
    /// Messages with one of these codes, in ascending order.
    Codes(Vec<i64>),
}

impl TagFilter {
    /// Messages with one of these codes; without any code, every message (as Java: an empty code set wants all).
    #[must_use]
    pub fn codes(codes: impl IntoIterator<Item = i64>) -> TagFilter {
        let mut codes: Vec<i64> = codes.into_iter().collect();
        codes.sort_unstable();
        codes.dedup();
        if codes.is_empty() { TagFilter::All } else { TagFilter::Codes(codes) }
    }

    /// Whether a message with this code is wanted.
    #[must_use]
    pub fn matches(&self, code: i64) -> bool {
        match self {
            TagFilter::All => true,
            TagFilter::Codes(codes) => codes.binary_search(&code).is_ok(),
        }
    }
}

/// Whether an expression type means tags: absent, empty or `TAG`.
#[must_use]
pub fn is_tag_type(kind: Option<&str>) -> bool {
    matches!(kind, None | Some("" | TAG))
}

/// Whether an expression wants every message.
#[must_use]
pub fn is_all(expression: &str) -> bool {
    expression.is_empty() || expression == "*"
}

/// The codes of the tags an expression wants; `None` for all messages.
///
/// # Errors
/// [`FilterError`] when it is not `*` and names no tag, or too many.
pub fn tag_codes(expression: &str) -> Result<Option<Vec<i64>>, FilterError> {
    if is_all(expression) {
        return Ok(None);
    }
    let tags: Vec<&str> = expression.split("||").map(str::trim).filter(|tag| !tag.is_empty()).collect();
    if tags.is_empty() {
        return Err(FilterError::Empty(expression.chars().take(64).collect()));
    }
    if tags.len() > TAGS_MAX {
        return Err(FilterError::TooMany(tags.len()));
    }
    Ok(Some(tags.iter().map(|tag| java_hash::tags_code(Some(tag))).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, expect: Result<Option<Vec<i64>>, FilterError>) {
        assert_eq!(tag_codes(expression), expect, "{expression:?}");
    }

    #[test]
    fn expressions() {
        check("", Ok(None));
        check("*", Ok(None));
        check("A", Ok(Some(vec![65])));
        check("A || B||", Ok(Some(vec![65, 66])));
        check(" || ", Err(FilterError::Empty(" || ".to_owned())));
        check(&"A||".repeat(TAGS_MAX + 1), Err(FilterError::TooMany(TAGS_MAX + 1)));
    }
}
