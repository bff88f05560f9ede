//! The broker itself: 25, 26, 43, 45, 402, 907 (Java: `AdminBrokerProcessor`). Its runtime figures are in `runtime_info`.
//! Not served, code 3: 27 (TRIGGER_DELETE_FILES), which has no handler in Java either.

use std::fmt::Write;
use std::sync::Arc;

use crate::broker::action::{Action, RequestId};
use crate::broker::core::{Client, Core};
use crate::broker::error::Error;
use crate::config::{Change, Errors};
use crate::protocol::body::assignment::MessageRequestModeTable;
use crate::protocol::command::Command;
use crate::protocol::headers::broker_admin::BrokerConfigResponse;
use crate::protocol::ids::Millis;
use crate::protocol::json;

use super::{ok, ok_json};

impl Core {
    /// UPDATE_BROKER_CONFIG: all keys of the request or none. Keys that the broker has from its own properties file are
    /// written back there before the answer.
    pub(super) fn update_config(
        &mut self,
        now: Millis,
        to: RequestId,
        client: &Client,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let body = command.body.to_bytes();
        let text = std::str::from_utf8(&body)
            .map_err(|error| Error::Body { code: command.code, reason: error.to_string() })?;
        let (mut config, changes) = self.config.update(text).map_err(refused)?;
        // What a member of a DLedger group is now its configuration does not say.
        (config.role, config.identity) = (self.config.role, self.config.identity.clone());
        if config.dledger != self.config.dledger {
            self.change_voters(now, config.dledger.as_ref(), actions)?;
            // The container dials whom it does not know yet.
            actions.push(Action::Announce);
        }
        for Change { key, from, to, .. } in &changes {
            tracing::info!(broker = %self.config.identity, client = %client.remote, key, from, to, "configuration changed");
        }
        let permission = self.config.requests.permission;
        if !changes.is_empty() {
            self.config_version.next(now, 0);
            self.config = Arc::new(config);
            actions.push(Action::Reconfigure { config: Arc::clone(&self.config) });
        }
        if self.config.requests.permission != permission {
            self.topics.touch(now);
        }
        self.config_file.updated(to, changes, actions);
        Ok(())
    }

    /// GET_BROKER_CONFIG: every key with its value, as properties. (Java's changes the configuration while it shows it.)
    pub(super) fn show_config(&self) -> Command {
        let mut text = String::new();
        for (key, value) in self.config.effective() {
            let wrote = writeln!(text, "{key}={value}");
            debug_assert!(wrote.is_ok(), "writing into a String does not fail");
        }
        let version = json::to_java(&self.config_version);
        let mut answer = Command { body: text.into_bytes().into(), ..ok() };
        BrokerConfigResponse { version: &String::from_utf8_lossy(&version) }.encode(&mut answer.ext);
        answer
    }

    /// GET_ALL_CONSUMER_OFFSET: what a Java slave copies.
    pub(super) fn all_consumer_offsets(&self) -> Command {
        Command { body: self.offsets.to_json().into(), ..ok() }
    }

    /// GET_ALL_DELAY_OFFSET: what a Java slave copies.
    pub(super) fn all_delay_offsets(&self) -> Command {
        Command { body: self.delays.to_json().into(), ..ok() }
    }
}

/// GET_ALL_MESSAGE_REQUEST_MODE: every group pulls.
pub(super) fn no_request_modes() -> Command {
    ok_json(&MessageRequestModeTable::default())
}

/// Java accepts any key it has a setter for; here a request is refused when a part of it would have no effect.
fn refused(errors: Errors) -> Error {
    let reason = errors.to_string();
    if errors.is_black_listed() { Error::ConfigForbidden { reason } } else { Error::InvalidParameter { reason } }
}
