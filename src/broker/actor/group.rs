//! What other brokers do for this one: members of its group that are asked, masters that take messages.

use std::time::Duration;

use super::{Actor, Inbound};
use crate::broker::action::{AfterCall, AfterEscape};
use crate::broker::escape::Escaped;
use crate::broker::event::Event;
use crate::env::TaskKind;
use crate::env::mailbox::oneshot;
use crate::protocol::command::Command;
use crate::store::NewMessage;

impl Actor {
    /// Asks another broker; every call comes back, because each has a time limit.
    pub(super) fn call_member(&mut self, address: String, command: Command, timeout_millis: u64, then: AfterCall) {
        let (client, results) = (self.parts.client.clone(), self.parts.results.clone());
        let task = async move {
            let answer = client.call(&address, command, Duration::from_millis(timeout_millis)).await;
            let answer = answer.map_err(|error| error.to_string());
            // An actor that has ended waits for nothing.
            let _ended = results.send(Inbound::Event(Event::Called { then, answer })).await;
        };
        drop(self.parts.env.tasks.spawn(TaskKind::Read, &self.parts.owner, task));
    }

    /// Gives a message to whoever brings it to another master.
    pub(super) fn escape(&mut self, message: NewMessage, queues: i32, then: AfterEscape) {
        let (done, stored) = oneshot::channel();
        let refused = self.parts.escapes.try_send(Escaped { message, queues, done }).err();
        let results = self.parts.results.clone();
        let task = async move {
            let result = match refused {
                Some(refused) => Err(format!("too many messages are on their way to other masters ({refused})")),
                None => stored.await.unwrap_or_else(|_| Err("nobody brings messages to other masters".to_owned())),
            };
            let _ended = results.send(Inbound::Event(Event::Escaped { then, result })).await;
        };
        drop(self.parts.env.tasks.spawn(TaskKind::Read, &self.parts.owner, task));
    }
}
