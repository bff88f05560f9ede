//! 902, 903, 25, 26 and codes nobody knows, on the container's own port.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use mqcontainer::env::Env;
use mqcontainer::protocol::codes::request;
use mqcontainer::protocol::command::Command;
use mqcontainer::protocol::headers::container::AddBrokerRequest;

use crate::faulty::{Faults, FaultyDisk};
use crate::support::{Outcome, Peer, Running, broker_table, free_port, java_conf};

/// A request of one code with a text body.
fn command(code: i32, body: &str) -> Command {
    Command { code, body: body.as_bytes().to_vec().into(), ..Command::default() }
}

fn summary(answer: &Command) -> (i32, &str) {
    (answer.code, answer.remark.as_deref().unwrap_or(""))
}

fn write_conf(running: &Running, name: &str, port: u16) -> Outcome<PathBuf> {
    let file = running.file(&format!("{name}.conf"));
    std::fs::write(&file, java_conf(name, port, &running.file(&format!("store-{name}"))))?;
    Ok(file)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_is_added_used_removed_and_added_again() -> Outcome<()> {
    let running = Running::start(&broker_table("a", free_port())).await?;
    let peer = Peer::new();
    let port = free_port();
    let conf = write_conf(&running, "b", port)?;
    let broker = format!("127.0.0.1:{port}");

    assert_eq!(summary(&peer.add_broker(&running.admin, &conf).await?), (0, ""));
    let masters = peer.route(&running.namesrv, "TBW102").await?;
    assert_eq!(masters.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    peer.send(&broker, "T", "one").await?;

    let twice = peer.add_broker(&running.admin, &conf).await?;
    let expected = "DefaultCluster_b_0 has already been added to current broker container";
    assert_eq!(summary(&twice), (1, expected));

    assert_eq!(summary(&peer.remove_broker(&running.admin, "b").await?), (0, ""));
    let masters = peer.route(&running.namesrv, "TBW102").await?;
    assert_eq!(masters.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a"]);
    // The ports are free before the answer, so somebody else may have them at once.
    drop((TcpListener::bind(("127.0.0.1", port))?, TcpListener::bind(("127.0.0.1", port - 2))?));
    assert_eq!(summary(&peer.remove_broker(&running.admin, "b").await?), (211, "Broker not exist"));

    assert_eq!(summary(&peer.add_broker(&running.admin, &conf).await?), (0, ""));
    assert_eq!(peer.pull_all(&broker, "T", 1).await?, ["one"]);
    running.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_addition_that_fails_leaves_nothing_behind() -> Outcome<()> {
    let neighbour = free_port();
    let running = Running::start(&broker_table("a", neighbour)).await?;
    let peer = Peer::new();
    let port = free_port();
    let conf = write_conf(&running, "b", port)?;

    // The second of its ports is taken: the first must be given back.
    let taken = TcpListener::bind(("127.0.0.1", port - 2))?;
    let answer = peer.add_broker(&running.admin, &conf).await?;
    let remark = answer.remark.unwrap_or_default();
    assert_eq!(answer.code, 1);
    assert!(remark.starts_with("start broker failed: ") && remark.contains(&(port - 2).to_string()), "{remark}");
    drop((TcpListener::bind(("127.0.0.1", port))?, taken));

    // Its store is locked by somebody else: ports and registration must be given back.
    let lock = running.file("store-b");
    std::fs::create_dir_all(&lock)?;
    let held = running.env.disk.lock(&lock.join("lock"))?;
    let answer = peer.add_broker(&running.admin, &conf).await?;
    assert_eq!(answer.code, 1);
    drop((TcpListener::bind(("127.0.0.1", port))?, TcpListener::bind(("127.0.0.1", port - 2))?, held));
    let masters = peer.route(&running.namesrv, "TBW102").await?;
    assert_eq!(masters.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a"]);

    // The same on the same ports now works, and the neighbour never noticed.
    assert_eq!(summary(&peer.add_broker(&running.admin, &conf).await?), (0, ""));
    peer.send(&format!("127.0.0.1:{port}"), "T", "b").await?;
    peer.send(&format!("127.0.0.1:{neighbour}"), "T", "a").await?;
    running.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn additions_that_cannot_be_are_refused_in_javas_words() -> Outcome<()> {
    let port = free_port();
    let running = Running::start(&broker_table("a", port)).await?;
    let peer = Peer::new();

    let mut no_path = Command { code: request::ADD_BROKER, ..Command::default() };
    assert_eq!(summary(&peer.ask(&running.admin, no_path.clone()).await?), (1, "addBroker config path is empty"));
    AddBrokerRequest { config_path: Some(" ") }.encode(&mut no_path.ext);
    assert_eq!(summary(&peer.ask(&running.admin, no_path).await?), (1, "addBroker config path is empty"));

    let missing = peer.add_broker(&running.admin, &running.file("missing.conf")).await?;
    assert_eq!(missing.code, 1);
    assert!(missing.remark.unwrap_or_default().starts_with("addBroker properties empty: "));

    // The neighbour's port: refused before anything is opened.
    let clash = write_conf(&running, "b", port + 2)?;
    let clash = peer.add_broker(&running.admin, &clash).await?;
    assert_eq!(clash.code, 1);
    assert!(clash.remark.unwrap_or_default().contains("port"));
    running.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_is_shown_and_changed() -> Outcome<()> {
    let running = Running::start(&broker_table("a", free_port())).await?;
    let peer = Peer::new();
    let shown = peer.call(&running.admin, command(request::GET_BROKER_CONFIG, "")).await?;
    assert!(shown.ext.get("version").is_some_and(|version| version.contains("\"counter\":0")));
    let text = String::from_utf8(shown.body.to_bytes().to_vec())?;
    let port = running.admin.rsplit(':').next().unwrap_or_default();
    assert!(text.lines().any(|line| line == format!("listenPort={port}")), "{text}");

    let black = peer.ask(&running.admin, command(request::UPDATE_BROKER_CONFIG, "brokerConfigPaths=x")).await?;
    assert_eq!(summary(&black), (16, "Can not update config in black list."));
    let fixed = peer.ask(&running.admin, command(request::UPDATE_BROKER_CONFIG, "listenPort=1")).await?;
    assert_eq!(fixed.code, 1);

    let changed = peer.call(&running.admin, command(request::UPDATE_BROKER_CONFIG, "namesrvAddr=127.0.0.1:1")).await?;
    assert!(changed.ext.get("version").is_some_and(|version| version.contains("\"counter\":1")));
    let (_, ready) = running.page("/readyz").await?;
    assert!(ready.contains("NameServer 127.0.0.1:1 "), "{ready}");
    running.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brokers_own_file_is_written_back_or_the_answer_says_why_not() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let faults = Arc::new(Faults::default());
    let disk = FaultyDisk { folder: folder.path().join("b.conf"), faults: Arc::clone(&faults) };
    let tables = broker_table("a", free_port());
    let running = Running::start_in(folder, &tables, |env| Env { disk: Arc::new(disk), ..env }).await?;
    let peer = Peer::new();
    let port = free_port();
    let conf = write_conf(&running, "b", port)?;
    let broker = format!("127.0.0.1:{port}");
    assert_eq!(summary(&peer.add_broker(&running.admin, &conf).await?), (0, ""));
    let before = std::fs::read_to_string(&conf)?;
    let update =
        |hours: u32| peer.ask(&broker, command(request::UPDATE_BROKER_CONFIG, &format!("fileReservedTime={hours}")));
    let lives = async || -> Outcome<String> {
        let shown = peer.call(&broker, command(request::GET_BROKER_CONFIG, "")).await?;
        let text = String::from_utf8(shown.body.to_bytes().to_vec())?;
        Ok(text.lines().find(|line| line.starts_with("fileReservedTime=")).unwrap_or_default().to_owned())
    };

    assert_eq!(summary(&update(71).await?), (0, ""));
    assert_eq!(std::fs::read_to_string(&conf)?, format!("{before}fileReservedTime=71\n"), "all other lines stay");

    faults.replaces_fail.store(true, Ordering::SeqCst);
    let refused = format!("changed in memory, but the file was not written: {}: injected by the test", conf.display());
    for _ in 0..2 {
        assert_eq!(summary(&update(70).await?), (1, refused.as_str()), "also when it is asked for again");
        assert_eq!(lives().await?, "fileReservedTime=70");
        assert_eq!(std::fs::read_to_string(&conf)?, format!("{before}fileReservedTime=71\n"));
    }
    faults.replaces_fail.store(false, Ordering::SeqCst);
    assert_eq!(summary(&update(70).await?), (0, ""), "the same again makes it good");
    assert_eq!(std::fs::read_to_string(&conf)?, format!("{before}fileReservedTime=70\n"));

    std::fs::rename(&conf, running.file("moved.conf"))?;
    assert_eq!(update(69).await?.code, 1);
    assert!(!conf.exists(), "a file with one line in place of the operator's would start no broker");
    std::fs::rename(running.file("moved.conf"), &conf)?;
    assert_eq!(summary(&update(69).await?), (0, ""));
    peer.remove_broker(&running.admin, "b").await?;
    assert_eq!(summary(&peer.add_broker(&running.admin, &conf).await?), (0, ""));
    assert_eq!(lives().await?, "fileReservedTime=69", "it holds after the next start");
    running.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_code_is_answered_on_both_ports() -> Outcome<()> {
    let running = Running::start(&broker_table("a", free_port())).await?;
    let peer = Peer::new();
    let (host, port) = running.admin.rsplit_once(':').unwrap_or_default();
    let fast = format!("{host}:{}", port.parse::<u16>()? - 2);
    for address in [running.admin.as_str(), &fast] {
        let answer = peer.ask(address, command(request::SEND_MESSAGE_V2, "")).await?;
        assert_eq!(summary(&answer), (3, " request type 310 not supported"));
    }
    running.stop().await;
    Ok(())
}
