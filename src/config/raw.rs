//! What stands in the files, key by key with its line, before anything is judged but the TOML grammar and its tables.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::{Error, Errors, Place};
use super::keys::nearest;

/// A value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawValue {
    /// true, false.
    Bool(bool),
    /// A whole number of 64 bits.
    Int(i64),
    /// A text; all values of properties files.
    Text(String),
    /// A list of texts or whole numbers.
    List(Vec<String>),
    /// Anything else TOML has: no key of ours takes it.
    Other(String),
}

impl fmt::Display for RawValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RawValue::Bool(value) => value.fmt(f),
            RawValue::Int(value) => value.fmt(f),
            RawValue::Text(value) => write!(f, "{value:?}"),
            RawValue::List(values) => write!(f, "{values:?}"),
            RawValue::Other(value) => value.fmt(f),
        }
    }
}

/// A key with its value; keys of sub-tables are joined by dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawEntry {
    /// As written.
    pub key: String,
    /// As written.
    pub value: RawValue,
    /// The line of the key.
    pub place: Place,
}

/// One table, or a whole properties file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawTable {
    /// The line of its head.
    pub place: Place,
    /// A later entry of the same key wins.
    pub entries: Vec<RawEntry>,
}

/// `container.toml` by its tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// `[container]`.
    pub container: Option<RawTable>,
    /// `[http]`.
    pub http: Option<RawTable>,
    /// `[namesrv]`.
    pub namesrv: Option<RawTable>,
    /// `[defaults]`.
    pub defaults: Option<RawTable>,
    /// `[[broker]]` in their order.
    pub brokers: Vec<RawTable>,
}

const TABLES: [&str; 5] = ["container", "http", "namesrv", "defaults", "broker"];

/// Splits a TOML text into its tables; none when it is not TOML. Problems go to `errors`.
pub fn read_toml(file: &Arc<Path>, content: &[u8], errors: &mut Errors) -> Option<Document> {
    let text = match str::from_utf8(content) {
        Ok(text) => text,
        Err(error) => {
            let place = Place { file: file.clone(), line: line_of(content, error.valid_up_to()) };
            errors.push(Error::Syntax { place, message: "not UTF-8".to_owned() });
            return None;
        }
    };
    let lines = Lines { file, text };
    let (root, problems) = DeTable::parse_recoverable(text);
    if !problems.is_empty() {
        // What the parser guessed behind a mistake would only give errors that nobody made.
        errors.0.extend(problems.iter().map(|problem| lines.syntax(problem)));
        return None;
    }
    let mut document = Document::default();
    for (name, value) in root.get_ref() {
        let slot = match name.get_ref().as_ref() {
            "container" => &mut document.container,
            "http" => &mut document.http,
            "namesrv" => &mut document.namesrv,
            "defaults" => &mut document.defaults,
            "broker" => {
                document.brokers = lines.brokers(name, value, errors);
                continue;
            }
            unknown => {
                errors.push(Error::UnknownTable {
                    place: lines.place(name.span().start),
                    name: unknown.to_owned(),
                    nearest: nearest(unknown, TABLES.into_iter()),
                });
                continue;
            }
        };
        match value.get_ref() {
            DeValue::Table(table) => *slot = Some(lines.table(name.span().start, table)),
            _ => errors.push(lines.wrong_form(name, "a table in square brackets")),
        }
    }
    Some(document)
}

/// The line of the byte at `offset`, counted from 1.
fn line_of(content: &[u8], offset: usize) -> usize {
    let before = &content[..offset.min(content.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

struct Lines<'a> {
    file: &'a Arc<Path>,
    text: &'a str,
}

impl Lines<'_> {
    fn place(&self, offset: usize) -> Place {
        Place { file: self.file.clone(), line: line_of(self.text.as_bytes(), offset) }
    }

    fn syntax(&self, problem: &toml::de::Error) -> Error {
        Error::Syntax {
            place: self.place(problem.span().map_or(0, |span| span.start)),
            message: problem.message().to_owned(),
        }
    }

    fn wrong_form(&self, name: &Spanned<DeString<'_>>, expected: &'static str) -> Error {
        Error::WrongForm { place: self.place(name.span().start), name: name.get_ref().to_string(), expected }
    }

    fn brokers(
        &self,
        name: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        errors: &mut Errors,
    ) -> Vec<RawTable> {
        const FORM: &str = "[[broker]], once for each broker";
        let Some(array) = value.get_ref().as_array() else {
            errors.push(self.wrong_form(name, FORM));
            return Vec::new();
        };
        let tables: Vec<RawTable> = array
            .iter()
            .filter_map(|element| {
                let table = element.get_ref().as_table()?;
                Some(self.table(element.span().start, table))
            })
            .collect();
        if tables.len() < array.len() {
            errors.push(self.wrong_form(name, FORM));
        }
        tables
    }

    fn table(&self, start: usize, table: &DeTable<'_>) -> RawTable {
        let mut entries = Vec::new();
        self.flatten("", table, &mut entries);
        entries.sort_by_key(|entry| entry.place.line);
        RawTable { place: self.place(start), entries }
    }

    fn flatten(&self, prefix: &str, table: &DeTable<'_>, entries: &mut Vec<RawEntry>) {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) => self.flatten(&format!("{key}."), inner, entries),
                other => entries.push(RawEntry {
                    key,
                    value: raw_value(other, &self.text[value.span()]),
                    place: self.place(name.span().start),
                }),
            }
        }
    }
}

fn raw_value(value: &DeValue<'_>, written: &str) -> RawValue {
    let known = match value {
        DeValue::Boolean(value) => Some(RawValue::Bool(*value)),
        DeValue::String(value) => Some(RawValue::Text(value.to_string())),
        DeValue::Integer(value) => i64::from_str_radix(value.as_str(), value.radix()).ok().map(RawValue::Int),
        DeValue::Array(values) => values
            .iter()
            .map(|value| match value.get_ref() {
                DeValue::String(text) => Some(text.to_string()),
                DeValue::Integer(number) => Some(number.as_str().to_owned()),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
            .map(RawValue::List),
        _ => None,
    };
    known.unwrap_or_else(|| RawValue::Other(written.to_owned()))
}
