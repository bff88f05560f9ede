//! docs/configuration.md, written from the table of keys.

use std::fmt::Write;

use super::keys::{Default, Key, Section};

const INTRODUCTION: &str = "\
# Configuration

`mqcontainer` reads `container.toml` (or the file behind `-c`). `mqcontainer check` validates it and shows what would
run. This page is written by `mqcontainer check --keys`; a test keeps it equal to the table the program uses.

- Keys have Java's names, defaults and units. Our own stand in `limits` and `raft` tables, in snake_case.
- Sizes and times are numbers as in Java, or texts with a unit: `\"1GiB\"`, `\"64KiB\"`, `\"72h\"`, `\"200ms\"`, `\"3d\"`.
- A broker's values come from, weakest first: the default, `[defaults]`, the file behind `include`, its `[[broker]]` table.
- `${brokerName}`, `${brokerId}` and `${brokerClusterName}` are filled in.
- Files named by `include` and `brokerConfigPaths` are sought beside the file that names them; other relative paths start
  at the working directory.
- An unknown key is an error. A key that Java knows and this program does not implement is a warning.
- *Live* keys can be changed while the process runs, with `mqadmin updateBrokerConfig`. The change is written into the `.conf`
  file the broker came from; a key given in `container.toml`, or a broker without a `.conf`, keeps the change until
  the process ends.
";

const REFUSED: &str = "
## Refused

These are errors unless they have the one value, because ignoring them would lose, hide or expose messages.

| key | only value | why |
|---|---|---|
";

const FOLKLORE: &str = "
## Known from other files

Many published `.conf` files have these keys, but Java 5 does not read them. They are accepted with a warning.

| key | remark |
|---|---|
";

const KNOWN_TO_JAVA: &str = "
## Known to Java, not implemented

The other names of Java 5.5.0. They are accepted with a warning and do nothing.
";

/// The whole page.
#[must_use]
pub fn document() -> String {
    let mut out = INTRODUCTION.to_owned();
    for section in Section::ALL {
        push(&mut out, format_args!("\n## {}\n", heading(section)));
        out.push_str("\n| key | value | default | live | meaning |\n|---|---|---|---|---|\n");
        for key in section.keys() {
            push_row(&mut out, key);
        }
    }
    out.push_str(REFUSED);
    for refused in Section::ALL.into_iter().flat_map(Section::refused) {
        let allowed = code(refused.allowed);
        push(&mut out, format_args!("| `{}` | {allowed} | {} |\n", refused.name, refused.why));
    }
    out.push_str(FOLKLORE);
    for (name, remark) in Section::ALL.into_iter().flat_map(Section::folklore) {
        push(&mut out, format_args!("| `{name}` | {remark} |\n"));
    }
    out.push_str(KNOWN_TO_JAVA);
    for section in [Section::Container, Section::Namesrv, Section::Broker] {
        push(&mut out, format_args!("\n### {}\n\n", heading(section)));
        push_names(&mut out, section);
    }
    out
}

fn heading(section: Section) -> &'static str {
    match section {
        Section::Container => "`[container]`",
        Section::Http => "`[http]`",
        Section::Namesrv => "`[namesrv]`",
        Section::Broker => "`[[broker]]`, `[defaults]` and `.conf` files",
    }
}

fn push_row(out: &mut String, key: &Key) {
    let default = match key.default {
        Default::Value(text) => code(text),
        Default::Computed(words) => words.to_owned(),
        Default::Required => "must be given".to_owned(),
    };
    let kind = key.kind.describe().replace('|', "\\|");
    let live = if key.reloadable { "yes" } else { "" };
    push(out, format_args!("| `{}` | {kind} | {default} | {live} | {} |\n", key.name, key.doc));
}

fn code(text: &str) -> String {
    if text.is_empty() { "empty".to_owned() } else { format!("`{text}`") }
}

/// Sorted, a few lines instead of a few hundred.
fn push_names(out: &mut String, section: Section) {
    const WIDTH: usize = 118;
    let mut names: Vec<&str> = section.known_to_java().collect();
    names.sort_unstable();
    names.dedup();
    let mut column = 0;
    for name in names {
        if column > 0 && column + name.len() + 1 > WIDTH {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(name);
        column += name.len();
    }
    out.push('\n');
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let wrote = out.write_fmt(text);
    debug_assert!(wrote.is_ok(), "writing into a String does not fail");
}
