//! From `container.toml` and what it names to a [`Config`], and from one `.conf` to a [`Broker`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checked::{Broker, Config, Container, Http, Namesrv};
use super::error::{Error, Errors, Place, Warnings};
use super::keys::{Kind, Section};
use super::outside::Outside;
use super::properties::{decode_properties, read_properties};
use super::raw::{Document, RawEntry, RawTable, RawValue, read_toml};
use super::resolve::{Findings, broker_default, container_default, namesrv_default, resolve};
use super::rules::{check_broker, check_neighbours, check_process_ports, warn_broker, warn_unreachable};
use super::values::{Entry, Value, Values};

/// Key of a `[[broker]]` table that names a `.conf`, relative to the file it stands in.
pub(super) const INCLUDE: &str = "include";

impl Config {
    /// Reads the `content` of `file` and every file it names. A `.conf` or `.properties` file is a Java container's.
    ///
    /// # Errors
    /// Every problem found, in the order of file and line.
    pub fn load(file: &Path, content: &[u8], outside: &Outside) -> Result<(Config, Warnings), Errors> {
        let mut findings = Findings::default();
        let file: Arc<Path> = file.into();
        let document = if is_properties(&file) {
            let container = Some(read_properties(&file, &decode_properties(content)));
            Some(Document { container, ..Document::default() })
        } else {
            read_toml(&file, content, &mut findings.errors)
        };
        let start = Place { file, line: 1 };
        let config = document.and_then(|document| build(&start, &document, outside, &mut findings));
        let config = findings.errors.or(config)?;
        Ok((config, findings.warnings))
    }

    /// The broker a `.conf` describes, over this configuration's `[defaults]`, as ADD_BROKER (902) wants it. Whether it can run beside
    /// the others is for [`Config::check_neighbours`] to say.
    ///
    /// # Errors
    /// Every problem found in the file.
    pub fn broker_from_conf(&self, path: &Path, outside: &Outside) -> Result<(Broker, Warnings), Errors> {
        let mut findings = Findings::default();
        let source =
            read_conf(path, None, outside, &mut findings.errors).map(|table| Source::conf(table, path.to_owned()));
        let broker = source.and_then(|source| build_broker(&source, &self.defaults, outside, &mut findings));
        let broker = findings.errors.or(broker)?;
        Ok((broker, findings.warnings))
    }

    /// Whether `new` can run beside the container's own ports and `running`.
    ///
    /// # Errors
    /// Every clash of identity, port or directory.
    pub fn check_neighbours<'a>(
        &self,
        running: impl IntoIterator<Item = &'a Broker>,
        new: &Broker,
    ) -> Result<(), Errors> {
        let mut errors = Errors::default();
        check_neighbours(self, running, new, &mut errors);
        errors.or(Some(()))
    }
}

fn is_properties(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "conf" || extension == "properties")
}

/// None when something that others depend on is wrong; then `findings` says what.
fn build(start: &Place, document: &Document, outside: &Outside, findings: &mut Findings) -> Option<Config> {
    let defaults = document.defaults.as_ref().map_or_else(Vec::new, |table| table.entries.clone());
    let container = build_container(start, document, outside, findings);
    let sources = broker_sources(document, container.as_ref(), outside, findings);
    if sources.is_empty() {
        check_unused_defaults(start, &defaults, outside, findings);
    }
    let brokers: Vec<Broker> =
        sources.iter().filter_map(|source| build_broker(source, &defaults, outside, findings)).collect();
    let (container, namesrv) = container?;
    let http = build_http(document, findings);
    let config = Config { container, http, namesrv, brokers, defaults, current_dir: outside.current_dir.clone() };
    check_process_ports(&config, &mut findings.errors);
    warn_unreachable(&config, &mut findings.warnings);
    for (index, broker) in config.brokers.iter().enumerate() {
        let before = &config.brokers[..index];
        check_neighbours(&config, before, broker, &mut findings.errors);
    }
    let names_brokers = !document.brokers.is_empty() || !config.container.values.list("brokerConfigPaths").is_empty();
    if !names_brokers && config.namesrv.is_none() {
        let file = start.file.display().to_string();
        findings.errors.push(Error::NothingToRun { file });
    }
    Some(config)
}

type Process = (Container, Option<Namesrv>);

fn build_container(start: &Place, document: &Document, outside: &Outside, findings: &mut Findings) -> Option<Process> {
    let (place, entries) = match &document.container {
        Some(table) => (&table.place, table.entries.as_slice()),
        None => (start, [].as_slice()),
    };
    let mut values = resolve(Section::Container, place, entries, |key, _| container_default(key, outside), findings)?;
    let namesrv = match &document.namesrv {
        Some(table) => Some(Namesrv::from_values(resolve(
            Section::Namesrv,
            &table.place,
            &table.entries,
            |key, _| namesrv_default(key, &values, outside),
            findings,
        )?)),
        None => None,
    };
    if !values.entries.contains_key("namesrvAddr") {
        let value = namesrv_addrs(namesrv.as_ref(), outside, &mut findings.errors)?;
        let place = None;
        values.entries.insert("namesrvAddr", Entry { value, place });
    }
    Some((Container::from_values(values), namesrv))
}

/// The NameServers when the file names none: the environment's, else the one inside.
fn namesrv_addrs(inside: Option<&Namesrv>, outside: &Outside, errors: &mut Errors) -> Option<Value> {
    const VARIABLE: &str = "NAMESRV_ADDR";
    if let Some(text) = (outside.var)(VARIABLE).filter(|text| !text.trim().is_empty()) {
        let value = Kind::Addresses.read(&RawValue::Text(text.clone()));
        if value.is_none() {
            errors.push(Error::BadValue {
                place: None,
                key: format!("environment variable {VARIABLE}"),
                value: text,
                expected: Kind::Addresses.describe(),
            });
        }
        return value;
    }
    let addrs = inside.map(|namesrv| {
        let loopback = match namesrv.bind {
            ip if !ip.is_unspecified() => ip,
            std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        std::net::SocketAddr::new(loopback, namesrv.port).to_string()
    });
    Some(Value::List(addrs.into_iter().collect(), ';'))
}

fn build_http(document: &Document, findings: &mut Findings) -> Option<Http> {
    let table = document.http.as_ref()?;
    let none = |_: &str, _: &Values| None;
    let values = resolve(Section::Http, &table.place, &table.entries, none, findings)?;
    Some(Http::from_values(values))
}

/// What one broker is made of, besides the defaults.
struct Source {
    place: Place,
    /// The included file's entries, then the table's own.
    entries: Vec<RawEntry>,
    origin: Option<PathBuf>,
}

impl Source {
    fn conf(table: RawTable, path: PathBuf) -> Source {
        Source { place: table.place, entries: table.entries, origin: Some(path) }
    }
}

fn broker_sources(
    document: &Document,
    process: Option<&Process>,
    outside: &Outside,
    findings: &mut Findings,
) -> Vec<Source> {
    let tables = document.brokers.iter();
    let mut sources: Vec<Source> = tables.filter_map(|table| broker_table(table, outside, findings)).collect();
    if let Some((container, _)) = process {
        let place = container.values.place("brokerConfigPaths");
        for path in container.values.list("brokerConfigPaths") {
            let path = beside(&place, &path);
            let table = read_conf(&path, Some(&place), outside, &mut findings.errors);
            sources.extend(table.map(|table| Source::conf(table, path)));
        }
    }
    sources
}

/// A `[[broker]]` table with its `include` read; none when that is not possible.
fn broker_table(table: &RawTable, outside: &Outside, findings: &mut Findings) -> Option<Source> {
    let (include, own): (Vec<&RawEntry>, Vec<&RawEntry>) = table.entries.iter().partition(|entry| entry.key == INCLUDE);
    let mut source = Source { place: table.place.clone(), entries: Vec::new(), origin: None };
    if let Some(entry) = include.first() {
        let RawValue::Text(path) = &entry.value else {
            findings.errors.push(Error::BadValue {
                place: Some(entry.place.clone()),
                key: entry.key.clone(),
                value: entry.value.to_string(),
                expected: Kind::Path.describe(),
            });
            return None;
        };
        let path = beside(&entry.place, path);
        let conf = read_conf(&path, Some(&entry.place), outside, &mut findings.errors)?;
        source.entries = conf.entries;
        source.origin = Some(path);
    }
    source.entries.extend(own.into_iter().cloned());
    Some(source)
}

/// A path named in a file, relative to that file.
fn beside(place: &Place, path: &str) -> PathBuf {
    match place.file.parent() {
        Some(dir) => dir.join(path),
        None => PathBuf::from(path),
    }
}

fn read_conf(path: &Path, named_at: Option<&Place>, outside: &Outside, errors: &mut Errors) -> Option<RawTable> {
    match (outside.read)(path) {
        Ok(content) => Some(read_properties(&path.into(), &decode_properties(&content))),
        Err(error) => {
            errors.push(Error::Unreadable {
                place: named_at.cloned(),
                path: path.to_owned(),
                reason: error.to_string(),
            });
            None
        }
    }
}

fn build_broker(source: &Source, defaults: &[RawEntry], outside: &Outside, findings: &mut Findings) -> Option<Broker> {
    let misplaced = defaults.iter().chain(&source.entries).filter(|entry| entry.key == INCLUDE);
    findings.errors.0.extend(misplaced.map(|entry| Error::WrongForm {
        place: entry.place.clone(),
        name: INCLUDE.to_owned(),
        expected: "a key of a [[broker]] table",
    }));
    let values = resolve(
        Section::Broker,
        &source.place,
        defaults.iter().chain(&source.entries),
        |key, values| broker_default(key, values, outside),
        findings,
    )?;
    check_broker(&values, &mut findings.errors);
    warn_broker(&values, &mut findings.warnings);
    Some(Broker::from_values(values, source.origin.clone()))
}

/// `[defaults]` without a broker is checked as if there were one, so that mistakes show before the first ADD_BROKER.
fn check_unused_defaults(start: &Place, defaults: &[RawEntry], outside: &Outside, findings: &mut Findings) {
    let name =
        RawEntry { key: "brokerName".to_owned(), value: RawValue::Text("broker".to_owned()), place: start.clone() };
    let source = Source { place: start.clone(), entries: vec![name], origin: None };
    drop(build_broker(&source, defaults, outside, findings));
}
