//! Requests the actor sends to clients for an administrator who waits.

use std::sync::Arc;
use std::time::Duration;

use super::Actor;
use crate::broker::action::RequestId;
use crate::broker::error::Error;
use crate::broker::requests::forward::progress_of;
use crate::env::{TaskKind, mailbox};
use crate::protocol::command::Command;
use crate::remoting::ConnectionId;

/// A client has this long to answer a request of ours (Java: 10 s for 307 and 309).
const CLIENT_ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// All clients together have this long for 223: less than the 5 s that Java's tools wait, so that one silent client does not
/// take the answers of the others away.
const ALL_ANSWERS_TIMEOUT: Duration = Duration::from_secs(4);

impl Actor {
    /// Sends a request to a client and relays its answer, or says why there is none.
    pub(super) fn call(&mut self, to: ConnectionId, command: Command, then: RequestId) {
        let Some(slot) = self.slots.remove(&then) else { return };
        let Some(connection) = self.connections.get(&to).cloned() else {
            let reason = "the client has just disconnected".to_owned();
            slot.answer(Error::ConsumerNotOnline { reason }.to_response());
            return;
        };
        let client = connection.remote().to_string();
        let task = async move {
            let answer = connection.call(command, CLIENT_ANSWER_TIMEOUT).await;
            slot.answer(answer.unwrap_or_else(|error| {
                tracing::debug!(client, %error, "no answer of a client");
                let millis = u64::try_from(CLIENT_ANSWER_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
                Error::ConsumerTimeout { client, millis }.to_response()
            }));
        };
        drop(self.parts.env.tasks.spawn(TaskKind::Read, &self.parts.owner, task));
    }

    /// Sends a request to several clients at the same time and answers with what they say.
    pub(super) fn call_all(&mut self, clients: Vec<(Arc<str>, ConnectionId)>, command: &Command, then: RequestId) {
        let Some(slot) = self.slots.remove(&then) else { return };
        let (answers, mut gathered) = mailbox::bounded(clients.len());
        for (client, connection) in clients {
            let Some(connection) = self.connections.get(&connection).cloned() else { continue };
            let (answers, command) = (answers.clone(), command.clone());
            let task = async move {
                match connection.call(command, ALL_ANSWERS_TIMEOUT).await {
                    // Who gathers waits for all senders; there is room for each.
                    Ok(answer) => drop(answers.try_send((client, answer))),
                    Err(error) => tracing::debug!(%client, %error, "no answer of a client"),
                }
            };
            drop(self.parts.env.tasks.spawn(TaskKind::Read, &self.parts.owner, task));
        }
        drop(answers);
        let task = async move {
            let mut all = Vec::new();
            while let Some(answer) = gathered.recv().await {
                all.push(answer);
            }
            slot.answer(progress_of(all));
        };
        drop(self.parts.env.tasks.spawn(TaskKind::Read, &self.parts.owner, task));
    }
}
