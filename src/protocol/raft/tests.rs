//! The bytes of messages and letters.

use proptest::prelude::*;

use super::*;
use crate::protocol::ids::Millis;

fn membership() -> impl Strategy<Value = Membership> {
    let members = proptest::collection::btree_set(any::<u32>().prop_map(MemberId), 0..=MEMBERS_MAX);
    (0..i32::MAX, any::<u64>(), members, any::<u32>()).prop_map(|(term, version, members, votes)| {
        let is_voter = |index: usize| votes >> (index % 32) & 1 == 1;
        let (voters, learners): (Vec<_>, Vec<_>) =
            members.into_iter().enumerate().partition(|(index, _)| is_voter(*index));
        let set = |list: Vec<(usize, MemberId)>| list.into_iter().map(|(_, member)| member).collect();
        let id = MembershipId { term: Term(term), version };
        Membership { id, voters: set(voters), learners: set(learners) }
    })
}

fn log() -> impl Strategy<Value = LogEnd> {
    (0..i32::MAX, 0..i64::MAX).prop_map(|(epoch, end)| LogEnd { epoch: Term(epoch), end: PhysicalOffset(end) })
}

fn message() -> impl Strategy<Value = Message> {
    let term = || (0..=i32::MAX).prop_map(Term);
    let membership = || membership();
    prop_oneof![
        (term(), log(), membership()).prop_map(|(term, log, membership)| Message::PreVote { term, log, membership }),
        (term(), term(), any::<bool>(), membership()).prop_map(|(term, asked, granted, membership)| {
            Message::PreVoteAnswer { term, asked, granted, membership }
        }),
        (term(), log(), membership(), any::<bool>()).prop_map(|(term, log, membership, takes_over)| Message::Vote {
            term,
            log,
            membership,
            takes_over
        }),
        (term(), any::<bool>()).prop_map(|(term, granted)| Message::VoteAnswer { term, granted }),
        (term(), any::<i64>(), 0..i64::MAX, membership()).prop_map(|(term, sent, committed, membership)| {
            Message::Heartbeat { term, sent: Millis(sent), committed: PhysicalOffset(committed), membership }
        }),
        (term(), any::<i64>(), term(), any::<u64>()).prop_map(|(term, sent, other, version)| {
            Message::HeartbeatAnswer { term, sent: Millis(sent), membership: MembershipId { term: other, version } }
        }),
        term().prop_map(|term| Message::TakeOver { term }),
    ]
}

fn letter() -> impl Strategy<Value = Letter> {
    ("[a-zé]{1,40}", any::<u32>(), any::<u32>(), message()).prop_map(|(group, from, to, message)| Letter {
        group: group.into(),
        from: MemberId(from),
        to: MemberId(to),
        message,
    })
}

proptest! {
    #[test]
    fn messages_come_back_and_nothing_less_does(message in message()) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        prop_assert_eq!(Message::decode(&bytes), Ok(message));
        for end in 0..bytes.len() {
            prop_assert!(Message::decode(&bytes[..end]).is_err());
        }
        bytes.push(0);
        prop_assert_eq!(Message::decode(&bytes), Err(MessageError::Long(1)));
    }

    #[test]
    fn any_bytes_are_refused_or_have_one_form(bytes in proptest::collection::vec(any::<u8>(), 0..80), kind in 0..9_u8) {
        let bytes = [&[kind], &bytes[..]].concat();
        if let Ok(message) = Message::decode(&bytes) {
            let mut again = Vec::new();
            message.encode(&mut again);
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn letters_come_back(letters in proptest::collection::vec(letter(), 0..8)) {
        let mut bytes = Vec::new();
        prop_assert_eq!(encode_frame(&letters, &mut bytes), letters.len());
        prop_assert_eq!(frame_length(&bytes), Ok(Some(bytes.len())));
        for end in 4..bytes.len() {
            prop_assert!(decode_frame(&bytes[..end]).is_err());
        }
        prop_assert_eq!(decode_frame(&bytes), Ok(letters));
    }

    #[test]
    fn turned_frames_are_refused_or_other_letters(letters in proptest::collection::vec(letter(), 1..4), at in any::<u16>(), bit in 0..8) {
        let mut bytes = Vec::new();
        encode_frame(&letters, &mut bytes);
        let at = usize::from(at) % bytes.len();
        bytes[at] ^= 1_u8 << bit;
        prop_assert_ne!(decode_frame(&bytes), Ok(letters));
    }
}

#[test]
fn a_frame_takes_as_many_letters_as_fit() {
    let letter = |group: &str| Letter {
        group: group.into(),
        from: MemberId(0),
        to: MemberId(1),
        message: Message::TakeOver { term: Term(7) },
    };
    let letters = vec![letter("g"); LETTERS_MAX + 3];
    let mut bytes = Vec::new();
    assert_eq!(encode_frame(&letters, &mut bytes), LETTERS_MAX);
    assert_eq!(decode_frame(&bytes).map(|letters| letters.len()), Ok(LETTERS_MAX));
    let mut bytes = Vec::new();
    assert_eq!(encode_frame(&[letter(""), letter("g"), letter(&"g".repeat(256))], &mut bytes), 3);
    assert_eq!(decode_frame(&bytes), Ok(vec![letter("g")]));
}

#[test]
fn bytes_are_as_the_page_says() {
    let check = |message: Message, expected: &[u8]| {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        assert_eq!(bytes, expected);
    };
    check(Message::TakeOver { term: Term(0x0102_0304) }, &[7, 1, 2, 3, 4]);
    let mut membership = Membership::first([MemberId(1), MemberId(2)]);
    membership.learners.insert(MemberId(5));
    let log = LogEnd { epoch: Term(3), end: PhysicalOffset(0x0A0B) };
    let expected = [
        &[3, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0x0A, 0x0B, 1][..],
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5],
    ];
    check(Message::Vote { term: Term(4), log, membership, takes_over: true }, &expected.concat());
}

#[test]
fn lengths_and_lists_are_bounded() {
    assert_eq!(Message::decode(&[4, 0xFF, 0, 0, 0, 0]), Err(MessageError::Negative));
    assert_eq!(Message::decode(&[4, 0, 0, 0, 0, 2]), Err(MessageError::Truth(2)));
    assert_eq!(Message::decode(&[9, 0, 0, 0, 0]), Err(MessageError::Kind(9)));
    let pre_vote = |members: &[u8]| Message::decode(&[&[1][..], &[0; 28], members].concat());
    assert_eq!(pre_vote(&[33, 0]), Err(MessageError::Members));
    assert_eq!(pre_vote(&[2, 0, 0, 0, 0, 2, 0, 0, 0, 2]), Err(MessageError::Members));
    assert_eq!(pre_vote(&[1, 1, 0, 0, 0, 2, 0, 0, 0, 2]), Err(MessageError::Members));
    assert_eq!(frame_length(&[0, 0x10, 0, 0]), Err(LetterError::Length(1 << 20)));
    assert_eq!(frame_length(&[0, 0, 0, 1]), Err(LetterError::Length(1)));
    assert_eq!((frame_length(&[0, 0, 0]), frame_length(&[0, 0, 0, 2])), (Ok(None), Ok(Some(6))));
}

#[test]
fn greetings_come_back() {
    let greeting = Greeting { container: 0x0102 << 100 };
    let bytes = greeting.encode();
    assert_eq!(Greeting::decode(&bytes), Ok(greeting));
    let mut later = bytes;
    later[5] = 2;
    assert_eq!(Greeting::decode(&later), Err(LetterError::Version(2)));
    assert_eq!(Greeting::decode(&[0; GREETING_BYTES]), Err(LetterError::Greeting));
    assert_ne!(GREETING, crate::protocol::ha::GREETING);
}
