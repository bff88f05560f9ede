//! LOCK_BATCH_MQ (41) and UNLOCK_BATCH_MQ (42): queues of ordered consumers, on this broker alone or, with `lockInStrictMode`, on
//! more than half of its group.

use std::collections::BTreeSet;

use crate::broker::action::{Action, AfterCall, RequestId};
use crate::broker::core::Core;
use crate::broker::error::Error;
use crate::broker::state::locks::LockedQueue;
use crate::broker::state::votes::Outcome;
use crate::protocol::body::lock::{LockRequest, LockResponse};
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::ids::Millis;
use crate::protocol::json;

use super::lookup::body;
use super::{ok, ok_json};

/// Another member has this long for its vote, as in Java.
const VOTE_MILLIS: u64 = 1_000;

impl Core {
    /// Grants what is free; the answer lists the queues the client holds now.
    pub(super) fn lock_queues(
        &mut self,
        now: Millis,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let asked: LockRequest = body(command)?;
        let granted = self.locks.lock(now, &asked.consumer_group, &asked.client_id, &asked.mq_set);
        let quorum = self.config.replication.total as usize / 2 + 1;
        if !self.config.group.strict_lock || asked.only_this_broker || quorum == 1 {
            actions.push(Action::Reply { to, response: ok_json(&LockResponse { locked: granted }) });
            return Ok(());
        }
        let others = self.other_members();
        let vote = question(request::LOCK_BATCH_MQ, &asked);
        match self.votes.begin(to, asked, granted, others.len(), quorum) {
            Some(outcome) => self.vote_ended(to, outcome, actions),
            None => ask(others, &vote, &AfterCall::Lock { to }, actions),
        }
        Ok(())
    }

    /// A member has voted, or has not.
    pub(in crate::broker) fn voted(
        &mut self,
        to: RequestId,
        answer: Result<Command, String>,
        actions: &mut Vec<Action>,
    ) {
        let answer = answer.ok().filter(|answer| answer.code == response::SUCCESS);
        let granted = answer.and_then(|answer| json::from_java::<LockResponse>(&answer.body.to_bytes()).ok());
        let granted: BTreeSet<LockedQueue> = granted.unwrap_or_default().locked;
        if let Some(outcome) = self.votes.answered(to, granted) {
            self.vote_ended(to, outcome, actions);
        }
    }

    fn vote_ended(&mut self, to: RequestId, outcome: Outcome, actions: &mut Vec<Action>) {
        let Outcome { asked, locked, refused } = outcome;
        actions.push(Action::Reply { to, response: ok_json(&LockResponse { locked }) });
        if !refused.is_empty() {
            self.unlock_everywhere(&LockRequest { mq_set: refused, ..asked }, actions);
        }
    }

    /// Gives the client's own locks back.
    pub(super) fn unlock_queues(&mut self, command: &Command, actions: &mut Vec<Action>) -> Result<Command, Error> {
        let asked: LockRequest = body(command)?;
        if self.config.group.strict_lock && !asked.only_this_broker {
            self.unlock_everywhere(&asked, actions);
        } else {
            self.locks.unlock(&asked.consumer_group, &asked.client_id, &asked.mq_set);
        }
        Ok(ok())
    }

    fn unlock_everywhere(&mut self, asked: &LockRequest, actions: &mut Vec<Action>) {
        self.locks.unlock(&asked.consumer_group, &asked.client_id, &asked.mq_set);
        ask(self.other_members(), &question(request::UNLOCK_BATCH_MQ, asked), &AfterCall::Nothing, actions);
    }
}

/// The client's request as one broker of the group passes it on to another.
fn question(code: i32, asked: &LockRequest) -> Command {
    let asked = LockRequest { only_this_broker: true, ..asked.clone() };
    Command { code, body: json::to_java(&asked).into(), ..Command::default() }
}

fn ask(members: Vec<String>, command: &Command, then: &AfterCall, actions: &mut Vec<Action>) {
    actions.extend(members.into_iter().map(|address| Action::CallMember {
        address,
        command: command.clone(),
        timeout_millis: VOTE_MILLIS,
        then: then.clone(),
    }));
}
