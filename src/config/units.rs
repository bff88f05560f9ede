//! Sizes and times with units. A plain number keeps the meaning it has for that key in Java.

/// What a plain number of a time key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// Hours.
    Hours,
}

impl TimeUnit {
    /// Milliseconds in one.
    #[must_use]
    pub fn millis(self) -> i64 {
        match self {
            TimeUnit::Millis => 1,
            TimeUnit::Seconds => 1_000,
            TimeUnit::Hours => 3_600_000,
        }
    }

    /// The unit as it is written behind a number.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            TimeUnit::Millis => "ms",
            TimeUnit::Seconds => "s",
            TimeUnit::Hours => "h",
        }
    }
}

const SIZES: [(&str, i64); 8] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

const TIMES: [(&str, i64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Bytes of "1GiB", "64 KiB", "4096". None when it is no size or does not fit in 63 bits.
#[must_use]
pub fn parse_bytes(text: &str) -> Option<i64> {
    let (number, unit) = split(text)?;
    let factor = if unit.is_empty() { 1 } else { SIZES.iter().find(|(name, _)| *name == unit)?.1 };
    number.checked_mul(factor)
}

/// The number of `unit`s in "72h", "200ms", "3d"; a plain number counts `unit`s already.
/// None when it is no time, or no whole number of `unit`s ("90s" of a key in hours).
#[must_use]
pub fn parse_time(text: &str, unit: TimeUnit) -> Option<i64> {
    let (number, suffix) = split(text)?;
    if suffix.is_empty() {
        return Some(number);
    }
    let millis = number.checked_mul(TIMES.iter().find(|(name, _)| *name == suffix)?.1)?;
    (millis % unit.millis() == 0).then(|| millis / unit.millis())
}

/// Milliseconds of one delay level such as "30s" or "2h" (Java: `DelayOffsetManager`'s words s, m, h, d).
#[must_use]
pub fn parse_delay(text: &str) -> Option<i64> {
    let (number, suffix) = split(text)?;
    let allowed = matches!(suffix, "s" | "m" | "h" | "d");
    let factor = TIMES.iter().find(|(name, _)| allowed && *name == suffix)?.1;
    number.checked_mul(factor).filter(|millis| *millis >= 0)
}

/// A size in the largest unit that divides it.
#[must_use]
pub fn show_bytes(bytes: i64) -> String {
    let unit = SIZES[1..5].iter().rev().find(|(_, factor)| bytes != 0 && bytes % factor == 0);
    match unit {
        Some((name, factor)) => format!("{}{name}", bytes / factor),
        None => bytes.to_string(),
    }
}

fn split(text: &str) -> Option<(i64, &str)> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
    let number = text[..digits].parse().ok()?;
    Some((number, text[digits..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let cases = [
            ("4096", Some(4096)),
            ("1GiB", Some(1 << 30)),
            ("64 KiB", Some(65536)),
            ("5MB", Some(5_000_000)),
            ("-1", Some(-1)),
            ("1 gib", None),
            ("GiB", None),
            ("1.5GiB", None),
            ("", None),
            ("9999999999TiB", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_bytes(text), expected, "{text}");
        }
    }

    #[test]
    fn times_count_the_unit_of_their_key() {
        let cases = [
            ("500", TimeUnit::Millis, Some(500)),
            ("10s", TimeUnit::Millis, Some(10_000)),
            ("72", TimeUnit::Hours, Some(72)),
            ("3d", TimeUnit::Hours, Some(72)),
            ("90m", TimeUnit::Hours, None),
            ("2m", TimeUnit::Seconds, Some(120)),
            ("200ms", TimeUnit::Seconds, None),
            ("1 week", TimeUnit::Hours, None),
        ];
        for (text, unit, expected) in cases {
            assert_eq!(parse_time(text, unit), expected, "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_in_the_largest_whole_unit() {
        let cases = [(0, "0"), (6_000_000, "6000000"), (4096, "4KiB"), (1 << 30, "1GiB")];
        for (bytes, expected) in cases {
            assert_eq!(show_bytes(bytes), expected);
        }
    }
}
