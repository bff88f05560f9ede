//! Containers that speak to each other over real sockets, and strangers that speak to them.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::env::{IoPool, SystemClock, SystemDisk, SystemEntropy};
use crate::protocol::raft::{GREETING, GREETING_BYTES, Greeting, Life, Roster, Term, encode_frame};

/// What one member heard, in order.
#[derive(Default)]
struct Ear(Mutex<Vec<String>>);

impl Member for Ear {
    fn deliver(&self, from: MemberId, message: Message) {
        self.0.lock().unwrap().push(format!("{from} {}", message.term()));
    }

    fn gone(&self, member: MemberId) {
        self.0.lock().unwrap().push(format!("{member} gone"));
    }
}

/// A container's transport with the member ports it has opened.
struct Container {
    members: Members,
    env: Env,
}

/// A member of one of them.
struct Seated {
    seat: Seat,
    ear: Arc<Ear>,
    tasks: Tasks,
    handed: Receiver<(TcpStream, SocketAddr)>,
    members: Members,
}

/// A group `g` of these members, whose ports are free ones.
async fn group(count: u32) -> (Vec<Peer>, Vec<TcpListener>) {
    let mut listeners = Vec::new();
    let mut peers = Vec::new();
    for member in 0..count {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        peers.push(Peer { member, address: listener.local_addr().unwrap().to_string() });
        listeners.push(listener);
    }
    (peers, listeners)
}

impl Container {
    fn new() -> Container {
        let env = Env {
            clock: Arc::new(SystemClock::new()),
            disk: Arc::new(SystemDisk),
            entropy: Arc::new(SystemEntropy),
            pool: IoPool::start(1, 1).unwrap(),
            tasks: Tasks::new(),
        };
        Container { members: Members::start(&env), env }
    }

    async fn seat(&self, group: &str, member: u32, peers: &[Peer], listener: TcpListener) -> Seated {
        let seat = Seat { group: group.into(), member: MemberId(member) };
        let (ear, tasks) = (Arc::<Ear>::default(), self.env.tasks.child());
        let (hand, handed) = hand();
        let listening: Arc<dyn Member> = Arc::clone(&ear) as Arc<dyn Member>;
        self.members.came(&seat, peers.to_vec(), listening, &Door::new().0).await;
        self.members.listen(&"owner".into(), listener, &tasks, hand);
        Seated { seat, ear, tasks, handed, members: self.members.clone() }
    }

    /// The process ends at once.
    async fn die(self) {
        self.env.tasks.cancel();
        self.env.tasks.ended().await;
        self.members.stop().await;
    }
}

impl Seated {
    fn say(&self, to: u32, term: i32) {
        let message = Message::TakeOver { term: Term(term) };
        let letter = Letter { group: Arc::clone(&self.seat.group), from: self.seat.member, to: MemberId(to), message };
        self.members.letters().try_send(letter).expect("a place for a letter");
    }

    fn heard(&self) -> Vec<String> {
        self.ear.0.lock().unwrap().clone()
    }

    /// Says it again and again until the other one has heard it.
    async fn reaches(&self, other: &Seated, term: i32) {
        let expected = format!("{} {term}", self.seat.member);
        until(|| {
            self.say(other.seat.member.0, term);
            other.heard().contains(&expected)
        })
        .await;
    }

    async fn end(self) {
        self.tasks.cancel();
        self.tasks.ended().await;
        self.members.ended(&self.seat).await;
    }
}

async fn until(mut holds: impl FnMut() -> bool) {
    let deadline = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), deadline).await.expect("in time");
}

fn streams(container: &Container) -> u64 {
    container.members.counters().streams.load(Ordering::Relaxed)
}

#[tokio::test]
async fn members_of_one_process_need_no_stream() {
    let container = Container::new();
    let (peers, mut listeners) = group(2).await;
    let one = container.seat("g", 1, &peers, listeners.remove(1)).await;
    let zero = container.seat("g", 0, &peers, listeners.remove(0)).await;
    one.reaches(&zero, 7).await;
    zero.reaches(&one, 8).await;
    let doors = container.members.others(&zero.seat);
    assert_eq!(doors.keys().copied().collect::<Vec<_>>(), [MemberId(1)]);
    one.say(0, 9);
    one.end().await;
    until(|| zero.heard().last().is_some_and(|last| last == "n1 gone")).await;
    assert!(zero.heard().contains(&"n1 9".to_owned()), "what it said before it ended came before");
    assert_eq!(container.members.others(&zero.seat).len(), 0);
}

#[tokio::test]
async fn one_stream_carries_all_groups_of_two_containers_in_both_directions() {
    let (left, right) = (Container::new(), Container::new());
    let mut pairs = Vec::new();
    for name in ["g", "h", "i"] {
        let (peers, mut listeners) = group(2).await;
        let one = right.seat(name, 1, &peers, listeners.remove(1)).await;
        let zero = left.seat(name, 0, &peers, listeners.remove(0)).await;
        pairs.push((zero, one));
    }
    for (zero, one) in &pairs {
        zero.reaches(one, 1).await;
        one.reaches(zero, 2).await;
    }
    until(|| (streams(&left), streams(&right)) == (1, 1)).await;
    let heard: Vec<String> = pairs.iter().flat_map(|(zero, one)| [zero.heard(), one.heard()]).flatten().collect();
    assert!(heard.iter().all(|line| line == "n0 1" || line == "n1 2"), "{heard:?}");
    for (zero, one) in pairs {
        one.end().await;
        until(|| zero.heard().last().is_some_and(|last| last == "n1 gone")).await;
    }
    until(|| (streams(&left), streams(&right)) == (0, 0)).await;
}

#[tokio::test]
async fn a_process_that_has_ended_is_known_to_be_gone_and_its_next_life_is_found() {
    let (left, right) = (Container::new(), Container::new());
    let (peers, mut listeners) = group(2).await;
    let address: SocketAddr = peers[1].address.parse().unwrap();
    let one = right.seat("g", 1, &peers, listeners.remove(1)).await;
    let zero = left.seat("g", 0, &peers, listeners.remove(0)).await;
    one.reaches(&zero, 1).await;
    right.die().await;
    until(|| zero.heard().last().is_some_and(|last| last == "n1 gone")).await;
    let again = Container::new();
    let socket = crate::remoting::bind(address, 16).unwrap().into_socket();
    let one = again.seat("g", 1, &peers, socket).await;
    zero.reaches(&one, 3).await;
    one.reaches(&zero, 4).await;
    assert_eq!(zero.heard().iter().filter(|line| *line == "n1 gone").count(), 1);
}

#[tokio::test]
async fn a_new_process_in_the_place_of_another_tells_that_the_other_is_gone() {
    let (left, right) = (Container::new(), Container::new());
    let (peers, mut listeners) = group(2).await;
    let address: SocketAddr = peers[1].address.parse().unwrap();
    let one = right.seat("g", 1, &peers, listeners.remove(1)).await;
    let zero = left.seat("g", 0, &peers, listeners.remove(0)).await;
    one.reaches(&zero, 1).await;
    // The port is taken over so fast that it never refuses.
    one.tasks.cancel();
    one.tasks.ended().await;
    let again = Container::new();
    let socket = crate::remoting::bind(address, 16).unwrap().into_socket();
    let next = again.seat("g", 1, &peers, socket).await;
    right.die().await;
    next.reaches(&zero, 5).await;
    let heard = zero.heard();
    let gone = heard.iter().position(|line| line == "n1 gone").expect("gone");
    let first = heard.iter().position(|line| line == "n1 5").expect("the next life");
    assert!(gone < first, "{heard:?}");
}

#[tokio::test]
async fn the_port_of_a_member_is_for_the_log_too() {
    let container = Container::new();
    let (peers, mut listeners) = group(2).await;
    let mut zero = container.seat("g", 0, &peers, listeners.remove(0)).await;
    let check = async |zero: &mut Seated, first: &[u8]| {
        let mut client = TcpStream::connect(&peers[0].address).await.unwrap();
        client.write_all(first).await.unwrap();
        let (mut stream, _) = zero.handed.recv().await.expect("handed on");
        let mut read = vec![0; first.len()];
        stream.read_exact(&mut read).await.unwrap();
        assert_eq!(read, first, "nothing of it was taken");
    };
    let hello = crate::protocol::ha::GREETING.to_be_bytes();
    check(&mut zero, &hello).await;
    check(&mut zero, &[0, 0, 0, 0, 0, 0, 0, 9]).await;
    // Byte by byte too.
    let mut client = TcpStream::connect(&peers[0].address).await.unwrap();
    for byte in hello {
        client.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(zero.handed.recv().await.is_some());
}

/// A stranger's stream that was greeted, with the roster that came.
async fn stranger(address: &str, container: u128) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&Greeting { container }.encode()).await.unwrap();
    let mut answer = [0; GREETING_BYTES];
    stream.read_exact(&mut answer).await.unwrap();
    Greeting::decode(&answer).expect("a greeting");
    stream
}

/// Whether the other side closes the stream.
async fn is_closed(mut stream: TcpStream) -> bool {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await;
    read.is_ok()
}

fn roster(members: &[(&str, u32)]) -> Vec<u8> {
    let entry = |(group, member): &(&str, u32)| (((*group).into(), MemberId(*member)), Life(1));
    let mut bytes = Vec::new();
    Roster(members.iter().map(entry).collect()).encode(&mut bytes);
    bytes
}

fn letter(group: &str, from: u32, to: u32, term: i32) -> Vec<u8> {
    let message = Message::TakeOver { term: Term(term) };
    let letter = Letter { group: group.into(), from: MemberId(from), to: MemberId(to), message };
    let mut bytes = Vec::new();
    encode_frame(&[letter], &mut bytes);
    bytes
}

#[tokio::test]
async fn hostile_bytes_end_their_connection_and_harm_nobody() {
    let (left, right) = (Container::new(), Container::new());
    let (mut peers, mut listeners) = group(2).await;
    peers.push(Peer { member: 2, address: "127.0.0.1:1".into() });
    let one = right.seat("g", 1, &peers, listeners.remove(1)).await;
    let zero = left.seat("g", 0, &peers, listeners.remove(0)).await;
    one.reaches(&zero, 1).await;
    let good = [roster(&[("g", 2)]), letter("g", 2, 0, 5)].concat();
    let endings: Vec<Vec<u8>> = vec![
        // Not the roster first.
        letter("g", 2, 0, 66),
        encode_frame_of_nothing(),
        // Lengths that nobody sends.
        [&good[..], &[0xFF; 8]].concat(),
        [&good[..], &[0, 0, 0, 1]].concat(),
        [&good[..], &0x0010_0001_u32.to_be_bytes()].concat(),
        // A length that is not that of what is in it, and letters that are none.
        [&good[..], &[0, 0, 0, 4, 0, 9, 0, 0]].concat(),
        [&good[..], &[0, 0, 0, 9, 0, 1, 0, 1, b'g', 0, 0, 0, 2]].concat(),
        // Nobody of a group that is here.
        roster(&[("other", 2)]),
        roster(&[("g", 77)]),
    ];
    for (number, bytes) in endings.iter().enumerate() {
        let mut stream = stranger(&peers[0].address, 1_000 + number as u128).await;
        stream.write_all(bytes).await.unwrap();
        assert!(is_closed(stream).await, "{number}");
    }
    let mut wrong = Greeting { container: 7 }.encode();
    wrong[5] = 9;
    let mut later = TcpStream::connect(&peers[0].address).await.unwrap();
    later.write_all(&wrong).await.unwrap();
    assert!(is_closed(later).await, "a later version");
    // Whoever is silent is noticed, the frame it has begun or not.
    let mut silent = stranger(&peers[0].address, 2_000).await;
    silent.write_all(&good[..good.len() - 1]).await.unwrap();
    assert!(is_closed(silent).await, "silent");
    one.reaches(&zero, 99).await;
    assert!(!zero.heard().contains(&"n2 66".to_owned()), "a letter before the roster");
    assert_eq!(GREETING.to_be_bytes()[..2], crate::protocol::ha::GREETING.to_be_bytes()[..2], "told apart by more");
}

fn encode_frame_of_nothing() -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_frame(&[], &mut bytes);
    bytes
}

#[tokio::test]
async fn letters_are_taken_only_from_where_their_sender_is_and_for_members_that_know_it() {
    let container = Container::new();
    let (mut peers, mut listeners) = group(1).await;
    peers.push(Peer { member: 1, address: "127.0.0.1:1".into() });
    let zero = container.seat("g", 0, &peers, listeners.remove(0)).await;
    let mut stream = stranger(&peers[0].address, 9).await;
    stream.write_all(&roster(&[("g", 1), ("g", 5), ("h", 1)])).await.unwrap();
    for bytes in [
        letter("g", 0, 0, 60),
        letter("g", 5, 0, 61),
        letter("g", 2, 0, 62),
        letter("h", 1, 0, 63),
        letter("g", 1, 7, 64),
        letter("g", 1, 0, 1),
    ] {
        stream.write_all(&bytes).await.unwrap();
    }
    until(|| !zero.heard().is_empty()).await;
    assert_eq!(zero.heard(), ["n1 1"]);
    assert_eq!(container.members.counters().dropped.load(Ordering::Relaxed), 5);
    // It moves to another container, which is believed from then on.
    let mut other = stranger(&peers[0].address, 10).await;
    other.write_all(&[roster(&[("g", 1)]), letter("g", 1, 0, 2)].concat()).await.unwrap();
    until(|| zero.heard().len() == 3).await;
    stream.write_all(&letter("g", 1, 0, 65)).await.unwrap();
    until(|| container.members.counters().dropped.load(Ordering::Relaxed) >= 6 || streams(&container) == 1).await;
    assert_eq!(zero.heard(), ["n1 1", "n1 gone", "n1 2"]);
}
