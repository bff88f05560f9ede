//! What producers send and are told.

use std::collections::BTreeMap;

use mqcontainer::protocol::codes::request;
use mqcontainer::protocol::command::Command;
use mqcontainer::protocol::headers::send::{SendRequest, SendResponse};
use mqcontainer::protocol::ids::{Millis, QueueId};
use mqcontainer::protocol::message_id;

use crate::disk::Chance;
use crate::invariants::answered::Answers;
use crate::invariants::numbered::Numbers;

/// A message that a producer was told is safe.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    pub physical: i64,
    pub body: Vec<u8>,
}

/// All producers.
#[derive(Default)]
pub struct Load {
    pub answers: Answers,
    pub numbers: Numbers,
    sent: BTreeMap<u64, Vec<u8>>,
    pub acknowledged: Vec<Acknowledged>,
    bodies: u64,
}

impl Load {
    /// The next message.
    pub fn message(&mut self, now: i64, chance: &mut Chance) -> (Command, Vec<u8>) {
        self.bodies += 1;
        let length = if chance.percent(10) { 2_000 } else { 200 };
        let mut body = format!("{}:", self.bodies).into_bytes();
        body.resize(body.len() + usize::try_from(chance.below(length)).unwrap(), b'x');
        let mut command = Command { code: request::SEND_MESSAGE_V2, body: body.clone().into(), ..Command::default() };
        let header = SendRequest {
            producer_group: "p",
            topic: "T",
            default_topic: "TBW102",
            default_topic_queue_nums: 2,
            queue_id: QueueId(i32::try_from(chance.below(2)).unwrap()),
            sys_flag: 0,
            born_timestamp: Millis(now),
            flag: 0,
            properties: None,
            reconsume_times: None,
            unit_mode: false,
            max_reconsume_times: None,
            batch: false,
            broker_name: None,
        };
        header.encode_v2(&mut command.ext);
        (command, body)
    }

    pub fn asked(&mut self, request: u64, body: Vec<u8>) {
        self.answers.asked(request);
        self.sent.insert(request, body);
    }

    /// An answer; where the message lies and ends when the producer was told that it is safe.
    pub fn answered(&mut self, request: u64, answer: &Command) -> Result<Option<Acknowledged>, String> {
        self.answers.answered(request)?;
        let body = self.sent.remove(&request).unwrap_or_default();
        let Ok(header) = SendResponse::decode(&answer.ext) else { return Ok(None) };
        let stored = message_id::decode(header.msg_id).map(|(_, physical)| physical.0);
        let Some(physical) = stored else { return Ok(None) };
        // Stored but late answers (10, 12) have a place too, which nobody else may get.
        self.numbers.give(header.queue_id.0, header.queue_offset.0, physical)?;
        if answer.code != 0 {
            return Ok(None);
        }
        let acknowledged = Acknowledged { physical, body };
        self.acknowledged.push(acknowledged.clone());
        Ok(Some(acknowledged))
    }

    /// The acknowledged messages behind `end`.
    pub fn behind(&self, end: i64) -> impl Iterator<Item = &Acknowledged> {
        self.acknowledged.iter().filter(move |message| message.physical >= end)
    }

    /// The leader died: nobody waits, and messages it had not to keep may be gone.
    pub fn died(&mut self) {
        self.answers.died();
        self.sent.clear();
    }

    pub fn lost(&mut self, end: i64) {
        self.numbers.lost(end);
        self.acknowledged.retain(|message| message.physical < end);
    }
}
