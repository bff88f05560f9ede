//! When a broker's own properties file is written (code 25), pure.
//!
//! ```text
//! update -> unsaved -> one write at a time -> written: answered, no longer unsaved
//!                                          -> not written: answered with why, still unsaved
//! ```
//!
//! The change holds in memory whether it was written or not. What was not written is written with the next update, also with one
//! that changes nothing else, so an operator may repeat a request that was answered with a failure.

use std::path::PathBuf;

use crate::config::Change;

use super::action::{Action, RequestId};
use super::error::Error;
use super::requests::ok;

/// The writes of the file.
#[derive(Debug, Default)]
pub struct ConfigFileWrites {
    /// The newest change of each key that is not in the file.
    unsaved: Vec<Change>,
    /// What the write under way writes.
    writing: Option<Vec<Change>>,
    /// Answered when the write under way has ended.
    waiting: Vec<RequestId>,
    /// Answered when the write after it has ended.
    next: Vec<RequestId>,
}

impl ConfigFileWrites {
    /// Takes the changes of one request and answers it: at once when none belongs into the file.
    pub fn updated(&mut self, to: RequestId, changes: Vec<Change>, actions: &mut Vec<Action>) {
        for change in changes.into_iter().filter(|change| change.file.is_some()) {
            self.unsaved.retain(|known| known.key != change.key);
            self.unsaved.push(change);
        }
        if self.unsaved.is_empty() {
            actions.push(Action::Reply { to, response: ok() });
        } else {
            self.next.push(to);
            self.write(actions);
        }
    }

    /// A write has ended.
    pub fn written(&mut self, result: Result<(), String>, actions: &mut Vec<Action>) {
        let written = self.writing.take().unwrap_or_default();
        let response = match result {
            Ok(()) => {
                self.unsaved.retain(|change| !written.contains(change));
                ok()
            }
            Err(reason) => {
                let reason = format!("changed in memory, but the file was not written: {reason}");
                Error::Failed { reason }.to_response()
            }
        };
        let waiting = std::mem::take(&mut self.waiting);
        actions.extend(waiting.into_iter().map(|to| Action::Reply { to, response: response.clone() }));
        if !self.next.is_empty() {
            self.write(actions);
        }
    }

    fn write(&mut self, actions: &mut Vec<Action>) {
        if self.writing.is_some() {
            return;
        }
        self.waiting = std::mem::take(&mut self.next);
        let Some(path) = self.path() else {
            // What the last write took up was all there was.
            actions.extend(self.waiting.drain(..).map(|to| Action::Reply { to, response: ok() }));
            return;
        };
        self.writing = Some(self.unsaved.clone());
        actions.push(Action::RewriteConfig { path, changes: self.unsaved.clone() });
    }

    fn path(&self) -> Option<PathBuf> {
        self.unsaved.iter().find_map(|change| change.file.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &'static str, to: &str) -> Change {
        Change { key, from: String::new(), to: to.to_owned(), file: Some("b.conf".into()) }
    }

    /// Answers (number, code) and writes (keys with values) among the actions.
    fn check(actions: &mut Vec<Action>, answers: &[(u64, i32)], writes: &[&[(&str, &str)]]) {
        let mut got = (Vec::new(), Vec::new());
        for action in actions.drain(..) {
            match action {
                Action::Reply { to, response } => got.0.push((to.0, response.code)),
                Action::RewriteConfig { changes, .. } => {
                    got.1.push(changes.into_iter().map(|change| (change.key, change.to)).collect::<Vec<_>>());
                }
                other => panic!("{other:?}"),
            }
        }
        let writes: Vec<Vec<_>> =
            writes.iter().map(|write| write.iter().map(|(key, to)| (*key, (*to).to_owned())).collect()).collect();
        assert_eq!(got.0, answers);
        assert_eq!(format!("{:?}", got.1), format!("{writes:?}"));
    }

    #[test]
    fn writes_do_not_overtake_each_other_and_failures_are_made_good() {
        let (mut file, mut actions) = (ConfigFileWrites::default(), Vec::new());
        file.updated(RequestId(1), vec![change("a", "1")], &mut actions);
        file.updated(RequestId(2), vec![change("b", "1")], &mut actions);
        file.updated(RequestId(3), vec![change("a", "2")], &mut actions);
        check(&mut actions, &[], &[&[("a", "1")]]);
        file.written(Ok(()), &mut actions);
        check(&mut actions, &[(1, 0)], &[&[("b", "1"), ("a", "2")]]);
        file.written(Err("full".to_owned()), &mut actions);
        check(&mut actions, &[(2, 1), (3, 1)], &[]);
        file.updated(RequestId(4), Vec::new(), &mut actions);
        check(&mut actions, &[], &[&[("b", "1"), ("a", "2")]]);
        file.updated(RequestId(5), Vec::new(), &mut actions);
        file.written(Ok(()), &mut actions);
        check(&mut actions, &[(4, 0), (5, 0)], &[]);
        file.updated(RequestId(6), vec![Change { file: None, ..change("a", "3") }], &mut actions);
        check(&mut actions, &[(6, 0)], &[]);
    }
}
