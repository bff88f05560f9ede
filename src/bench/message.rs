//! What is sent: bodies of random bytes, the properties a Java client sets, and the header of SEND_MESSAGE_V2.

use bytes::{Bytes, BytesMut};

use super::arguments::Sizes;
use super::cluster::Target;
use crate::protocol::batch::{self, BatchMessage};
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::headers::send::SendRequest;
use crate::protocol::ids::Millis;
use crate::protocol::properties::{self, key};

/// `TopicValidator#AUTO_CREATE_TOPIC_KEY_TOPIC`.
const DEFAULT_TOPIC: &str = "TBW102";

/// Makes requests. Bodies are slices of one block of random bytes: nothing is compressible, nothing is copied.
#[derive(Debug)]
pub(super) struct Composer {
    group: String,
    shape: Shape,
    block: Bytes,
    /// Told apart from all other runs.
    run: u64,
}

/// What requests look like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Queues of a topic that is created by sending.
    pub(super) queues: i32,
    /// Messages of one request.
    pub(super) batch: u32,
    /// Bytes of a body.
    pub(super) sizes: Sizes,
    /// Whether messages say when they were sent.
    pub(super) send_time: bool,
}

/// The property with the time a message was due or sent, microseconds since the Unix epoch.
pub(super) const SENT: &str = "BENCH_SENT";

/// When a request is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Its messages are born.
    pub(super) born: Millis,
    /// It was due, or is sent: microseconds since the Unix epoch.
    pub(super) due_us: i64,
}

impl Composer {
    pub(super) fn new(group: &str, shape: Shape, run: u64) -> Composer {
        let sizes = shape.sizes;
        let block: Vec<u8> = (0..sizes.max.div_ceil(8) as u64).flat_map(|word| mix(run ^ word).to_le_bytes()).collect();
        Composer { group: group.to_owned(), shape, block: block.into(), run }
    }

    /// Messages in one request.
    pub(super) fn messages(&self) -> u64 {
        u64::from(self.shape.batch)
    }

    /// Request `number` and the bytes of its bodies.
    pub(super) fn request(&self, number: u64, target: &Target, now: Moment) -> (Command, u64) {
        if self.shape.batch > 1 {
            return self.batch_request(number, target, now);
        }
        let body = self.body(number);
        let bytes = body.len() as u64;
        let properties = self.properties(number, now);
        (self.command(request::SEND_MESSAGE_V2, &properties, target, now, body), bytes)
    }

    fn batch_request(&self, number: u64, target: &Target, now: Moment) -> (Command, u64) {
        let mut encoded = BytesMut::new();
        let mut bytes = 0;
        for index in 0..self.messages() {
            let number = number * self.messages() + index;
            let body = self.body(number);
            bytes += body.len() as u64;
            let properties = self.properties(number, now);
            let message = BatchMessage { flag: 0, body: &body, properties: properties.as_bytes() };
            let encoded = batch::encode(&message, &mut encoded);
            debug_assert!(encoded.is_ok(), "two short properties");
        }
        (self.command(request::SEND_BATCH_MESSAGE, "", target, now, encoded.freeze()), bytes)
    }

    fn command(&self, code: i32, properties: &str, target: &Target, now: Moment, body: Bytes) -> Command {
        let mut command = Command { code, body: body.into(), ..Command::default() };
        let header = SendRequest {
            producer_group: &self.group,
            topic: &target.topic,
            default_topic: DEFAULT_TOPIC,
            default_topic_queue_nums: self.shape.queues,
            queue_id: target.queue,
            born_timestamp: now.born,
            properties: Some(properties),
            reconsume_times: Some(0),
            batch: self.shape.batch > 1,
            broker_name: Some(&target.broker),
            ..SendRequest::default()
        };
        header.encode_v2(&mut command.ext);
        command
    }

    /// Sizes are spread evenly over the range, the same in every run.
    fn body(&self, number: u64) -> Bytes {
        let span = (self.shape.sizes.max - self.shape.sizes.min + 1) as u64;
        let length = self.shape.sizes.min + usize::try_from(mix(number) % span).unwrap_or(0);
        self.block.slice(..length)
    }

    fn properties(&self, number: u64, now: Moment) -> String {
        let id = format!("{:016X}{number:016X}", self.run);
        let clients = [(key::UNIQ_KEY, id.as_str()), (key::WAIT_STORE_MSG_OK, "true")];
        let sent = self.shape.send_time.then(|| now.due_us.to_string());
        properties::from_pairs(clients.into_iter().chain(sent.as_deref().map(|sent| (SENT, sent))))
    }
}

/// SplitMix64's finaliser: numbers that look random, one for each number.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ids::QueueId;

    fn target() -> Target {
        Target { topic: "T".into(), broker: "broker-a".into(), address: "127.0.0.1:1".into(), queue: QueueId(3) }
    }

    fn composer(batch: u32, min: usize, max: usize) -> Composer {
        let shape = Shape { queues: 4, batch, sizes: Sizes { min, max }, send_time: false };
        Composer::new("G", shape, 7)
    }

    const NOW: Moment = Moment { born: Millis(9), due_us: 8_765 };

    #[test]
    fn one_message_is_what_a_java_client_sends() {
        let (command, bytes) = composer(1, 100, 100).request(5, &target(), NOW);
        let header = SendRequest::decode(&command.ext).unwrap();
        let expected = SendRequest {
            producer_group: "G",
            topic: "T",
            default_topic: "TBW102",
            default_topic_queue_nums: 4,
            queue_id: QueueId(3),
            born_timestamp: Millis(9),
            properties: Some("UNIQ_KEY\u{1}00000000000000070000000000000005\u{2}WAIT\u{1}true\u{2}"),
            reconsume_times: Some(0),
            broker_name: Some("broker-a"),
            ..SendRequest::default()
        };
        assert_eq!((command.code, header, bytes, command.body.len()), (310, expected, 100, 100));
    }

    #[test]
    fn messages_say_when_they_were_due() {
        let mut composer = composer(1, 1, 1);
        composer.shape.send_time = true;
        let (command, _) = composer.request(5, &target(), NOW);
        let header = SendRequest::decode(&command.ext).unwrap();
        assert_eq!(properties::get(header.properties.unwrap(), SENT), Some("8765"));
    }

    #[test]
    fn a_batch_holds_its_messages() {
        let (command, bytes) = composer(3, 10, 20).request(5, &target(), NOW);
        let body = command.body.to_bytes();
        let messages: Vec<_> = batch::messages(&body).collect::<Result<_, _>>().unwrap();
        let ids: Vec<_> =
            messages.iter().map(|message| properties::get_stored(message.properties, "UNIQ_KEY").unwrap()).collect();
        let expected = [15, 16, 17].map(|number: u64| format!("{:016X}{number:016X}", 7));
        assert_eq!((command.code, ids), (320, expected.iter().map(String::as_str).collect()));
        assert_eq!(bytes, messages.iter().map(|message| message.body.len() as u64).sum::<u64>());
    }

    #[test]
    fn sizes_fill_the_range() {
        let composer = composer(1, 100, 103);
        let sizes: std::collections::BTreeSet<usize> = (0..100).map(|number| composer.body(number).len()).collect();
        assert_eq!(sizes, (100..=103).collect());
    }
}
