//! The folder as its users see it: texts in; options, errors and warnings out.

mod dledger;
mod loading;
mod table;
mod updates;

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::{Config, Errors, Outside, Warnings};

/// A machine with these files and environment variables.
fn machine(files: &[(&str, &str)], vars: &[(&str, &str)]) -> Outside {
    let owned = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    };
    let (files, vars) = (owned(files), owned(vars));
    Outside {
        read: Box::new(move |path| {
            let text = path.to_str().and_then(|path| files.get(path));
            text.map(|text| text.clone().into_bytes())
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
        }),
        var: Box::new(move |name| vars.get(name).cloned()),
        local_address: Ipv4Addr::new(10, 0, 0, 7).into(),
        current_dir: PathBuf::from("/work"),
        cores: 2,
    }
}

fn load(text: &str, outside: &Outside) -> Result<(Config, Warnings), Errors> {
    Config::load(Path::new("container.toml"), text.as_bytes(), outside)
}

/// What a user sees, line by line: errors, or else warnings.
fn lines(result: Result<(Config, Warnings), Errors>) -> Vec<String> {
    match result {
        Ok((_, warnings)) => warnings.0.iter().map(|warning| format!("warning: {warning}")).collect(),
        Err(errors) => errors.to_string().lines().map(str::to_owned).collect(),
    }
}
