//! Arguments -> configuration -> container -> exit code.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use mqcontainer::config::{self, Config, Outside, Warnings};
use mqcontainer::env::{Disk, SystemDisk};

/// Bad configuration.
const EXIT_CONFIG: u8 = 1;
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
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let file = arguments.config.as_deref();
    match arguments.command.unwrap_or(Command::Run) {
        Command::Run => check(file),
        Command::Check { keys: false } => check(file),
        Command::Check { keys: true } => print(&config::document()),
    }
}

fn check(file: Option<&Path>) -> ExitCode {
    match load(file, &outside()) {
        Ok((config, warnings)) => {
            for warning in &warnings.0 {
                eprintln!("warning: {warning}");
            }
            print(&config::summary(&config))
        }
        Err(errors) => {
            for error in &errors.0 {
                eprintln!("error: {error}");
            }
            ExitCode::from(EXIT_CONFIG)
        }
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

/// The machine as the configuration sees it.
fn outside() -> Outside {
    Outside {
        read: Box::new(|path| SystemDisk.read(path)),
        var: Box::new(|name| std::env::var(name).ok()),
        local_address: local_address(),
        current_dir: std::env::current_dir().unwrap_or_default(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

/// The address this machine would send from to reach others; loopback when it has no route. Connecting a UDP socket sends nothing.
fn local_address() -> IpAddr {
    let routed = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        Ok::<IpAddr, io::Error>(socket.local_addr()?.ip())
    };
    routed().unwrap_or(Ipv4Addr::LOCALHOST.into())
}
