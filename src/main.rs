//! Arguments -> configuration -> container -> exit code.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use mqcontainer::bench;
use mqcontainer::config::{self, Config, Outside, Warnings};
use mqcontainer::container::{self, Exit};
use mqcontainer::observe::{catalogue, logs};

/// Bad configuration.
const EXIT_CONFIG: u8 = 1;
/// The process, or every broker of it, could not start.
const EXIT_START: u8 = 2;
/// Ended by a second signal, as a shell reports SIGINT.
const EXIT_FORCED: u8 = 130;
/// The file used when none is named; the built-in one when that is not there either.
const DEFAULT_FILE: &str = "container.toml";

/// Many RocketMQ brokers in one process, with a NameServer inside.
///
/// Without arguments it reads ./container.toml; without such a file it runs a NameServer (9876) and two brokers
/// (10911, 20911) on loopback, with their data under ./data.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The configuration: container.toml, or a Java container's .conf
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What is logged: a level or target=level,... (default: RUST_LOG, else info)
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Start and serve until SIGTERM or SIGINT (the default)
    Run,
    /// Validate the configuration and show what would run; exit code 0 or 1
    Check {
        /// Print every key with its default and meaning, as Markdown, instead
        #[arg(long)]
        keys: bool,
        /// Print every metric with its labels and meaning, as Markdown, instead
        #[arg(long, conflicts_with = "keys")]
        metrics: bool,
    },
    Bench(Box<bench::Arguments>),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let file = arguments.config.as_deref();
    match arguments.command.unwrap_or(Command::Run) {
        Command::Run => run(file, arguments.log.as_deref()),
        Command::Check { keys: true, .. } => print(&config::document()),
        Command::Check { metrics: true, .. } => print(&catalogue::document()),
        Command::Check { .. } => check(file),
        Command::Bench(arguments) => measure(&arguments),
    }
}

fn measure(arguments: &bench::Arguments) -> ExitCode {
    match bench::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(EXIT_START)
        }
    }
}

fn run(file: Option<&Path>, log: Option<&str>) -> ExitCode {
    let environment = std::env::var("RUST_LOG").ok();
    if let Err(error) = logs::start(log, environment.as_deref()) {
        eprintln!("error: {error}");
        return ExitCode::from(EXIT_CONFIG);
    }
    let outside = container::outside();
    match load(file, &outside) {
        Ok((config, warnings)) => {
            for warning in &warnings.0 {
                tracing::warn!("{warning}");
            }
            match container::run(config, outside) {
                Exit::Clean => ExitCode::SUCCESS,
                Exit::NotStarted => ExitCode::from(EXIT_START),
                Exit::Forced => ExitCode::from(EXIT_FORCED),
            }
        }
        Err(errors) => refuse(&errors),
    }
}

fn refuse(errors: &config::Errors) -> ExitCode {
    for error in &errors.0 {
        eprintln!("error: {error}");
    }
    ExitCode::from(EXIT_CONFIG)
}

fn check(file: Option<&Path>) -> ExitCode {
    match load(file, &container::outside()) {
        Ok((config, warnings)) => {
            for warning in &warnings.0 {
                eprintln!("warning: {warning}");
            }
            print(&config::summary(&config))
        }
        Err(errors) => refuse(&errors),
    }
}

/// A reader that stops early, such as `head`, is no error.
fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

fn load(file: Option<&Path>, outside: &Outside) -> Result<(Config, Warnings), config::Errors> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    let content = match (outside.read)(path) {
        Err(error) if file.is_none() && error.kind() == io::ErrorKind::NotFound => {
            return Config::load(Path::new(config::BUILT_IN_NAME), config::BUILT_IN.as_bytes(), outside);
        }
        read => read.map_err(|error| config::Errors::unreadable(path, &error))?,
    };
    Config::load(path, &content, outside)
}
