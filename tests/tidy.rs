//! What the compiler and clippy cannot check: who may know whom, and that files and functions stay readable.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests stand outside of the program"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file before its tests.
const FILE_LINES_MAX: usize = 600;

/// Lines of a function, from its name to its last brace.
const FUNCTION_LINES_MAX: usize = 80;

/// Words that promise code instead of being it. Split, so that this file has none of them.
const UNFINISHED: [&str; 6] =
    [concat!("to", "do!"), concat!("unimple", "mented!"), concat!("FIX", "ME"), concat!("TO", "DO"), "XXX", "dbg!("];

/// Names under which anything could stand.
const SHAPELESS: [&str; 8] = ["common", "util", "utils", "manager", "impl", "helper", "helpers", "misc"];

struct Source {
    /// Relative to the package.
    path: PathBuf,
    /// All of it.
    text: String,
    /// Lines before the tests of the file.
    code: String,
}

impl Source {
    /// The folder of `src` it belongs to; a file of `src` itself is its own.
    fn folder(&self) -> &str {
        let below = self.path.strip_prefix("src").unwrap_or(&self.path);
        let first = below.components().next().and_then(|part| part.as_os_str().to_str()).unwrap_or_default();
        first.trim_end_matches(".rs")
    }

    /// Whole files of tests: folders and files named so, and `testing.rs`, which only tests declare.
    fn is_test(&self) -> bool {
        self.path.components().any(|part| {
            part.as_os_str().to_str().is_some_and(|name| matches!(name, "tests" | "tests.rs" | "testing.rs"))
        })
    }
}

fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut waiting = vec![root.join(folder)];
    let mut sources = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            sources.push(Source { path: path.strip_prefix(root).unwrap().to_owned(), text, code });
        }
    }
    assert!(!sources.is_empty(), "no source in {folder}");
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

/// The folders of the table in ARCHITECTURE.md from the lowest to the highest: each may know those before it, no other.
fn floors() -> Vec<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let (_, table) = page.split_once("<!-- floors:").expect("the table begins with a marker");
    let (table, _) = table.split_once("<!-- /floors -->").expect("the table ends with a marker");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    let mut floors: Vec<&str> = rows.filter(|(number, _)| number.parse::<u8>().is_ok()).map(|(_, row)| row).collect();
    floors.reverse();
    floors.iter().flat_map(|row| row.split(", ").map(str::to_owned)).collect()
}

/// The folders that a text names by `crate::...`, also in a list of braces.
fn known_to(code: &str) -> BTreeSet<&str> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut known = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let Some(list) = after.strip_prefix('{') else {
            known.extend(after.split(|character| !is_name(character)).next());
            continue;
        };
        let mut depth = 0;
        let list = list.split(|character| match character {
            '{' => (depth += 1, false).1,
            '}' => (depth -= 1, depth < 0).1,
            ',' => depth == 0,
            _ => false,
        });
        for item in list.take_while(|item| !item.contains(';')) {
            known.extend(
                item.trim_start().split(|character| !is_name(character)).next().filter(|name| !name.is_empty()),
            );
        }
    }
    known
}

#[test]
fn nobody_knows_a_floor_above() {
    let order = floors();
    let floor = |folder: &str| order.iter().position(|known| known == folder);
    let sources = sources("src");
    let folders: BTreeSet<&str> = sources.iter().map(Source::folder).filter(|folder| *folder != "lib").collect();
    assert_eq!(folders, order.iter().map(String::as_str).collect(), "folders of src, and those of ARCHITECTURE.md");
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| source.folder() != "lib" && !source.is_test()) {
        let own = floor(source.folder());
        for other in known_to(&source.code) {
            if other != source.folder() && (floor(other).is_none() || floor(other) > own) {
                wrong.push(format!("{} knows {other}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn paths_are_found_in_lists_too() {
    let check =
        |code: &str, expected: &[&str]| assert_eq!(known_to(code), expected.iter().copied().collect(), "{code}");
    check("use crate::store::Read;", &["store"]);
    check("let x = crate::env::now(crate::config::X);", &["config", "env"]);
    check("use crate::{config, store::{Read, View}, env as e};\nuse other::x;", &["config", "env", "store"]);
    check("use super::crater;", &[]);
}

#[test]
fn files_and_functions_fit_a_reader() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let lines: Vec<&str> = source.code.lines().collect();
        if lines.len() > FILE_LINES_MAX {
            wrong.push(format!("{} has {} lines", source.path.display(), lines.len()));
        }
        for (number, line) in lines.iter().enumerate() {
            let body = line.trim_start();
            let indent = &line[..line.len() - body.len()];
            let words = body.split("fn ").next().unwrap_or_default();
            let is_function = body.contains("fn ") && words.split(' ').all(is_before_fn) && !body.starts_with("//");
            if !is_function || body.ends_with(';') || body.ends_with('}') {
                continue;
            }
            let ends = |line: &&str| **line == format!("{indent}}}");
            let length = lines[number..].iter().position(ends).map_or(0, |last| last + 1);
            if length > FUNCTION_LINES_MAX {
                wrong.push(format!("{}:{}: {length} lines: {body}", source.path.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn is_before_fn(word: &str) -> bool {
    matches!(word, "" | "pub" | "async" | "const")
        || word.starts_with("pub(")
        || matches!(word, "in")
        || word.ends_with(')')
}

#[test]
fn nothing_is_unfinished_or_without_a_name() {
    let mut wrong = Vec::new();
    for source in ["src", "tests", "examples"].iter().flat_map(|folder| sources(folder)) {
        for (number, line) in source.text.lines().enumerate() {
            // Java's topic of that name, and the form of its character escapes.
            let line = line.replace("SCHEDULE_TOPIC_XXXX", "").replace("\\uXXXX", "");
            let words = UNFINISHED.iter().filter(|word| line.contains(**word));
            let found = words.map(|word| format!("{}:{}: {word}", source.path.display(), number + 1));
            if source.path != Path::new("tests/tidy.rs") {
                wrong.extend(found);
            }
        }
        let shapeless = source.path.iter().filter_map(|part| part.to_str()).map(|part| part.trim_end_matches(".rs"));
        if shapeless.clone().any(|part| SHAPELESS.contains(&part)) {
            wrong.push(format!("{}: name it after what it is", source.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
