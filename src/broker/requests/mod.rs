//! What a broker does for each request, pure: one file per family, header in, checks, actions out.
//!
//! ```text
//! code -> handle (below) -> family -> Ok: the answer comes now or with a later event
//!                                  -> Err(Error): Error::to_response, the one map of errors to codes
//! ```

mod admin;
mod broker_admin;
mod cleaning;
pub mod client;
pub mod consume_queue_admin;
pub(super) mod forward;
mod group_admin;
mod ha;
pub mod lock;
mod lookup;
pub mod offset;
pub mod pull;
pub mod query;
mod runtime_info;
pub mod send;
pub mod send_back;
mod slave;
pub mod stats_admin;
pub(super) mod tables;
#[cfg(test)]
mod tests;
mod timer;
mod topic_admin;
pub mod topic_attributes;

use crate::protocol::body::group::SubscriptionGroupConfig;
use crate::protocol::codes::{own, request, response, version};
use crate::protocol::command::Command;
use crate::protocol::ids::Millis;

use super::action::{Action, RequestId};
use super::core::{Client, Core};
use super::error::Error;

/// From this version on a client says itself how often a message is tried (Java: `V3_4_9`).
const CLIENT_SAYS_RECONSUME_TIMES: i32 = version::V3_4_9;

/// An answer that waits for its message to be flushed.
#[derive(Debug)]
pub struct Stored {
    /// Who waits.
    pub to: RequestId,
    /// The answer when all is well.
    pub response: Command,
    /// When its message was appended.
    pub since: Millis,
}

/// The answer when the flush did not come in time: the message is stored and stays visible.
#[must_use]
pub fn flush_timed_out(response: Command) -> Command {
    Command { code: response::FLUSH_DISK_TIMEOUT, ..response }
}

/// The answer when too few followers had the message in time: it is stored and stays visible.
#[must_use]
pub fn replicas_timed_out(response: Command) -> Command {
    Command { code: response::FLUSH_SLAVE_TIMEOUT, ..response }
}

/// The answer when the group has not committed the message in time: whether it ever does nobody knows. No FLUSH_SLAVE_TIMEOUT, which
/// clients take for a success (Java: `DLedgerCommitLog`, WAIT_QUORUM_ACK_TIMEOUT).
#[must_use]
pub fn commit_timed_out(response: Command) -> Command {
    let remark =
        "in-sync replicas not enough: no majority of the DLedger group has the message yet; it may still be committed";
    Command {
        code: response::SYSTEM_ERROR,
        remark: Some(remark.to_owned()),
        opaque: response.opaque,
        ..Command::default()
    }
}

/// A success without more.
#[must_use]
pub fn ok() -> Command {
    Command { code: response::SUCCESS, ..Command::default() }
}

/// A success with a JSON body in Java's dialect.
#[must_use]
pub fn ok_json(body: &impl serde::Serialize) -> Command {
    Command { body: crate::protocol::json::to_java(body).into(), ..ok() }
}

impl Core {
    /// Handles one request; every request is answered exactly once, now or by a later event.
    pub(super) fn request(
        &mut self,
        now: Millis,
        to: RequestId,
        client: &Client,
        command: &Command,
        actions: &mut Vec<Action>,
    ) {
        if let Some(creation) = self.creation(command) {
            self.creations.asked(now, to, creation);
        }
        if let Err(error) = self.dispatch(now, to, client, command, actions) {
            tracing::debug!(broker = %self.config.identity, code = command.code, client = %client.remote, %error, "request refused");
            actions.push(Action::Reply { to, response: error.to_response() });
        }
    }

    fn dispatch(
        &mut self,
        now: Millis,
        to: RequestId,
        client: &Client,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        self.check_joining(command)?;
        self.check_member(command)?;
        if self.is_slave() {
            self.check_slave(command)?;
        }
        let answer = match command.code {
            request::SEND_MESSAGE | request::SEND_MESSAGE_V2 | request::SEND_BATCH_MESSAGE => {
                return self.send(now, to, client, command, actions);
            }
            request::PULL_MESSAGE | request::LITE_PULL_MESSAGE => {
                return self.pull(now, to, client, command, actions);
            }
            own::WATCH_TABLES => return self.watch_tables(now, to, command, actions),
            request::CONSUMER_SEND_MSG_BACK => return self.send_back(now, to, command, actions),
            request::QUERY_MESSAGE
            | request::VIEW_MESSAGE_BY_ID
            | request::SEARCH_OFFSET_BY_TIMESTAMP
            | request::GET_EARLIEST_MSG_STORETIME => return self.query(to, command, actions),
            request::QUERY_CONSUMER_OFFSET => self.query_consumer_offset(command),
            request::UPDATE_CONSUMER_OFFSET => self.update_consumer_offset(now, command),
            request::GET_MAX_OFFSET => self.max_offset(command),
            request::GET_MIN_OFFSET => self.min_offset(command),
            request::HEART_BEAT => self.heartbeat(now, client, command, actions),
            request::UNREGISTER_CLIENT => self.unregister_client(client, command, actions),
            request::CHECK_CLIENT_CONFIG => self.check_client_config(command),
            request::GET_CONSUMER_LIST_BY_GROUP => self.consumer_list(command),
            request::LOCK_BATCH_MQ => return self.lock_queues(now, to, command, actions),
            request::UNLOCK_BATCH_MQ => self.unlock_queues(command, actions),
            _ => return self.dispatch_admin(now, to, client, command, actions),
        };
        actions.push(Action::Reply { to, response: answer? });
        Ok(())
    }
}

/// How often a message may be tried: as the client says, else as the group is configured.
fn reconsume_times_max(command: &Command, asked: Option<i32>, group: &SubscriptionGroupConfig) -> i32 {
    match asked {
        Some(times) if command.version >= CLIENT_SAYS_RECONSUME_TIMES => times,
        _ => group.retry_max_times,
    }
}
