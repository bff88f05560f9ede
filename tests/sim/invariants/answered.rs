//! Every request is answered exactly once while its broker lives.

use std::collections::BTreeSet;

/// Requests of one life of a broker.
#[derive(Debug, Default)]
pub struct Answers {
    waiting: BTreeSet<u64>,
}

impl Answers {
    pub fn asked(&mut self, request: u64) {
        self.waiting.insert(request);
    }

    pub fn answered(&mut self, request: u64) -> Result<(), String> {
        if self.waiting.remove(&request) { Ok(()) } else { Err(format!("request {request} was answered again")) }
    }

    /// The broker died: nobody waits any more.
    pub fn died(&mut self) {
        self.waiting.clear();
    }

    pub fn check_none_waits(&self) -> Result<(), String> {
        if self.waiting.is_empty() {
            Ok(())
        } else {
            Err(format!("{} requests were never answered", self.waiting.len()))
        }
    }
}

#[test]
fn two_answers_and_none_are_noticed() {
    let mut answers = Answers::default();
    answers.asked(1);
    answers.asked(2);
    assert_eq!(answers.answered(1), Ok(()));
    assert!(answers.answered(1).is_err());
    assert!(answers.check_none_waits().is_err());
    answers.died();
    assert_eq!(answers.check_none_waits(), Ok(()));
}
