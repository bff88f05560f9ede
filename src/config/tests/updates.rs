//! UPDATE_BROKER_CONFIG.

use std::path::Path;

use super::{load, machine};
use crate::config::{Broker, Change, Config, rewrite};

const CONF: &str = "# keep\nbrokerName=b\nlistenPort=7000\nfileReservedTime=48\n";

fn config() -> Config {
    let text = "\
[defaults]
storePathRootDir = \"/d/${brokerName}\"
maxMessageSize = 2048
[[broker]]
brokerName = \"a\"
deleteWhen = \"05\"
[[broker]]
include = \"b.conf\"
regionId = \"own\"
";
    match load(text, &machine(&[("b.conf", CONF)], &[])) {
        Ok((config, _)) => config,
        Err(errors) => panic!("{errors}"),
    }
}

/// What an update answers, and the changes as `key from -> to (file)`.
fn check(broker: &Broker, text: &str, expected: Result<&[&str], &str>) {
    let show = |change: &Change| {
        let file = change.file.as_ref().map_or("until the end".into(), |file| file.display().to_string());
        format!("{} {} -> {} ({file})", change.key, change.from, change.to)
    };
    let found = match broker.update(text) {
        Ok((updated, changes)) => {
            for change in &changes {
                assert_eq!(updated.effective()[change.key], change.to);
            }
            Ok(changes.iter().map(show).collect::<Vec<_>>())
        }
        Err(errors) => Err(errors.to_string()),
    };
    let expected = expected.map(|lines| lines.iter().map(|line| (*line).to_owned()).collect()).map_err(str::to_owned);
    assert_eq!(found, expected, "{text}");
}

#[test]
fn live_keys_change_and_others_are_refused() {
    let config = config();
    let a = &config.brokers[0];
    check(a, "", Ok(&[]));
    check(a, "deleteWhen=05\nlistenPort=6888", Ok(&[]));
    check(
        a,
        "deleteWhen=06;7\nbrokerPermission=4",
        Ok(&["deleteWhen 05 -> 06;07 (until the end)", "brokerPermission 6 -> 4 (until the end)"]),
    );
    check(
        a,
        "brokerPermission=4\nlistenPort=7777\nfileReservedTime=never",
        Err("\
        listenPort cannot be changed while the broker runs: change it in container.toml and restart the broker\n\
        fileReservedTime = \"never\": expected time in h, 0h to 1000000h"),
    );
    check(a, "timerWheelEnable=false", Err("timerWheelEnable is known to Java but not implemented by mqcontainer"));
    check(a, "aclEnable=true", Err("aclEnable is known to Java but not implemented by mqcontainer"));
    check(a, "deletewhen=06", Err("request:1: unknown key deletewhen in [[broker]], did you mean deleteWhen?"));
}

#[test]
fn the_black_list_refuses_the_whole_request() {
    for key in ["configBlackList", "brokerConfigPath", "rocketmqHome"] {
        let request = format!("deleteWhen=06\n{key}=x");
        let errors = config().brokers[0].update(&request).expect_err("refused");
        assert_eq!(errors.to_string(), "Can not update config in black list.");
        assert!(errors.is_black_listed());
    }
    let errors = config().brokers[0].update("listenPort=7777").expect_err("refused");
    assert!(!errors.is_black_listed());
}

#[test]
fn what_the_conf_may_say_is_written_back() {
    let config = config();
    let b = &config.brokers[1];
    let request = "fileReservedTime=24\nregionId=new\nmaxMessageSize=4096\ntraceOn=false";
    check(
        b,
        request,
        Ok(&[
            "fileReservedTime 48 -> 24 (b.conf)",
            "regionId own -> new (until the end)",
            "maxMessageSize 2048 -> 4096 (until the end)",
            "traceOn true -> false (b.conf)",
        ]),
    );
    let (_, changes) = b.update(request).expect("accepted");
    let text = rewrite(CONF, Path::new("b.conf"), &changes);
    assert_eq!(text, "# keep\nbrokerName=b\nlistenPort=7000\nfileReservedTime=24\ntraceOn=false\n");
}

#[test]
fn the_container_takes_new_name_servers() {
    let container = config().container;
    let (updated, changes) = container.update("namesrvAddr=x:1;y:2").expect("accepted");
    assert_eq!(updated.namesrv_addrs, ["x:1", "y:2"]);
    assert_eq!(changes.len(), 1);
    assert_eq!(updated.effective()["namesrvAddr"], "x:1;y:2");
    let errors = container.update("brokerConfigPaths=x.conf").expect_err("refused");
    assert!(errors.is_black_listed());
}
