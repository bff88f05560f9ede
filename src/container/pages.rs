//! The pages of the HTTP endpoint.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::broker::Standing;
use crate::config::Role;
use crate::env::Env;
use crate::observe::http::{self, Making, Page};

use super::registration::{NameServerStatus, Registrar};
use super::scrape::Scrape;
use super::status::{BrokerStatus, State, role_word};
use super::supervisor::Supervisor;

/// What the pages are made from.
pub(super) struct Pages {
    supervisor: Supervisor,
    registrar: Registrar,
    env: Env,
    scrape: Scrape,
}

const INDEX: &str = "\
/metrics  every series, for Prometheus
/livez    200 while the process lives
/readyz   200 when every broker serves, with what each is doing
/brokers  the brokers as JSON
";

impl Pages {
    pub(super) fn new(supervisor: Supervisor, registrar: Registrar, env: &Env, scrape: Scrape) -> Pages {
        Pages { supervisor, registrar, env: env.clone(), scrape }
    }

    /// A line for each broker, then one for each NameServer. Whether those answer does not decide readiness: a broker serves
    /// its clients without them.
    fn ready(&self) -> Page {
        let brokers = self.supervisor.brokers();
        let all_serve = brokers.iter().all(|broker| broker.state.is_ready());
        let now = self.env.clock.monotonic();
        let mut body = String::new();
        for broker in &brokers {
            let detail = broker.state.detail(now);
            let separator = if detail.is_empty() { "" } else { ": " };
            write_line(&mut body, &format!("{} {}{separator}{detail}", broker.identity, broker.state.word()));
        }
        for server in self.registrar.status() {
            write_line(&mut body, &format!("NameServer {} {}", server.address, name_server(&server)));
        }
        Page { status: if all_serve { 200 } else { 503 }, content_type: Page::TEXT, body }
    }

    fn brokers(&self) -> Page {
        let now = self.env.clock.monotonic();
        let servers = self.registrar.status();
        let brokers: Vec<Value> = self
            .supervisor
            .brokers()
            .iter()
            .map(|broker| {
                let registered: Vec<&str> = servers
                    .iter()
                    .filter(|server| server.registered.contains(&broker.identity))
                    .map(|server| server.address.as_str())
                    .collect();
                broker_json(broker, &broker.state.detail(now), &registered)
            })
            .collect();
        Page { status: 200, content_type: Page::JSON, body: format!("{:#}\n", json!({ "brokers": brokers })) }
    }
}

impl http::Pages for Pages {
    fn page<'a>(&'a self, path: &'a str) -> Making<'a> {
        Box::pin(async move {
            let text = |body: &str| Page { status: 200, content_type: Page::TEXT, body: body.to_owned() };
            match path {
                "/" => Some(text(INDEX)),
                "/livez" => Some(text("alive\n")),
                "/readyz" => Some(self.ready()),
                "/brokers" => Some(self.brokers()),
                "/metrics" => Some(Page { status: 200, content_type: Page::METRICS, body: self.scrape.page().await }),
                _ => None,
            }
        })
    }
}

fn broker_json(broker: &BrokerStatus, detail: &str, registered: &[&str]) -> Value {
    let mut json = json!({
        "cluster": broker.identity.cluster,
        "name": broker.identity.name,
        "id": broker.identity.id.0,
        "role": broker.role.as_str(),
        "address": broker.address.to_string(),
        "store": broker.store.display().to_string(),
        "state": broker.state.word(),
        "detail": detail,
        "restarts": broker.restarts,
        "registered_at": registered,
    });
    if broker.role == Role::Slave {
        json["master"] = json!(broker.upstream.address);
        json["master_ha"] = json!(broker.upstream.ha_address);
    }
    if let Some(group) = &broker.group {
        json["dledger"] = dledger_json(group, broker.standing.as_ref());
    }
    if let State::Serving(serving) = &broker.state {
        json["recovered_messages"] = json!(serving.recovered);
        json["start_ms"] = json!(u64::try_from(serving.took.as_millis()).unwrap_or(u64::MAX));
    }
    json
}

/// A member of a DLedger group; no more than its name while it does not serve.
fn dledger_json(group: &str, standing: Option<&Standing>) -> Value {
    let Some(standing) = standing else { return json!({ "group": group }) };
    json!({
        "group": group,
        "role": role_word(standing.role),
        "term": standing.term.0,
        "leader": standing.leader.map(|leader| leader.to_string()),
        "committed": standing.committed.0,
        "elections_won": standing.elections,
    })
}

fn name_server(server: &NameServerStatus) -> String {
    let brokers = server.registered.len();
    match (server.reachable, &server.last_error) {
        (Some(true), _) => format!("answers, {brokers} brokers registered"),
        (Some(false), Some((_, error))) => format!("does not answer: {error}"),
        (Some(false), None) => "does not answer".to_owned(),
        (None, _) => "not asked yet".to_owned(),
    }
}

fn write_line(body: &mut String, line: &str) {
    let wrote = writeln!(body, "{line}");
    debug_assert!(wrote.is_ok(), "writing into a String does not fail");
}
