//! The epochs of a broker's log and whether they are on disk (`epochFileCheckpoint`).
//!
//! Invariant: no byte of an epoch is appended before the epoch is on disk; after a crash nobody could say whose it is. A leader
//! writes its epoch before it opens, a follower those of its leader before it asks for the first byte.

use std::sync::Arc;

use crate::protocol::ha::Epoch;
use crate::protocol::ids::{Millis, PhysicalOffset};
use crate::replication::epochs::Epochs;

/// The epochs of one log.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    epochs: Arc<Epochs>,
    saved: Arc<Epochs>,
    writing: Option<Arc<Epochs>>,
    /// No write before then: the last one failed.
    retry: Option<Millis>,
}

/// A write that failed is tried again after this long.
const RETRY_MILLIS: i64 = 1_000;

impl Lineage {
    /// Epochs as the file has them.
    #[must_use]
    pub fn new(saved: Epochs) -> Lineage {
        let saved = Arc::new(saved);
        Lineage { epochs: Arc::clone(&saved), saved, writing: None, retry: None }
    }

    /// The epochs.
    #[must_use]
    pub fn epochs(&self) -> &Arc<Epochs> {
        &self.epochs
    }

    /// The log will be a copy of one with these epochs; a Java leader names none. Its bytes may come when this is on disk.
    pub fn adopt(&mut self, epochs: Epochs) {
        self.epochs = Arc::new(epochs);
    }

    /// From its end on the log is this broker's own: a new epoch begins. What stood behind the end was never here.
    pub fn lead(&mut self, end: PhysicalOffset) {
        let number = self.epochs.newest_before(end + 1).map_or(1, |newest| newest.number + 1);
        self.begin(Epoch { number, start: end });
    }

    /// The epoch of a term begins at the end of the log. What stood behind the end was never here.
    pub fn begin(&mut self, epoch: Epoch) {
        let epochs = Arc::make_mut(&mut self.epochs);
        epochs.cut(epoch.start + 1);
        epochs.begin(epoch);
    }

    /// Whether bytes of this epoch belong here; 0 stands for a Java leader, who does not say.
    #[must_use]
    pub fn knows(&self, number: i32) -> bool {
        number == 0 || self.epochs.list().iter().any(|epoch| epoch.number == number)
    }

    /// The log was cut back.
    pub fn cut(&mut self, end: PhysicalOffset) {
        if self.epochs.newest().is_some_and(|newest| newest.start >= end) {
            Arc::make_mut(&mut self.epochs).cut(end);
        }
    }

    /// Whether the file holds the epochs as they are.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        self.epochs == self.saved
    }

    /// What to write now, if anything; one write at a time.
    pub fn take_unsaved(&mut self, now: Millis) -> Option<String> {
        if self.writing.is_some() || self.epochs == self.saved || self.retry.is_some_and(|at| now < at) {
            return None;
        }
        self.retry = None;
        self.writing = Some(Arc::clone(&self.epochs));
        Some(self.epochs.to_file())
    }

    /// When a write that failed is tried again.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        self.retry
    }

    /// The write has ended.
    pub fn written(&mut self, now: Millis, ok: bool) {
        let written = self.writing.take();
        if let Some(written) = written.filter(|_| ok) {
            self.saved = written;
        }
        self.retry = (!ok).then(|| now.plus(RETRY_MILLIS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(list: &[(i32, i64)]) -> Epochs {
        Epochs::new(list.iter().map(|&(number, start)| Epoch { number, start: PhysicalOffset(start) }))
    }

    fn check(lineage: &mut Lineage, saved: bool, file: Option<&str>) {
        assert_eq!(lineage.is_saved(), saved);
        let lines = lineage.take_unsaved(Millis(5_000)).map(|text| text.lines().skip(2).collect::<Vec<_>>().join(" "));
        assert_eq!(lines.as_deref(), file);
    }

    #[test]
    fn epochs_count_once_they_are_on_disk() {
        let mut lineage = Lineage::default();
        check(&mut lineage, true, None);
        lineage.adopt(epochs(&[(1, 0)]));
        check(&mut lineage, false, Some("1-0"));
        lineage.adopt(epochs(&[(1, 0), (3, 100)]));
        check(&mut lineage, false, None);
        lineage.written(Millis(4_000), true);
        check(&mut lineage, false, Some("1-0 3-100"));
        lineage.written(Millis(4_000), false);
        assert_eq!((lineage.take_unsaved(Millis(4_999)), lineage.next_deadline()), (None, Some(Millis(5_000))));
        check(&mut lineage, false, Some("1-0 3-100"));
        lineage.written(Millis(4_000), true);
        check(&mut lineage, true, None);
        assert_eq!([0, 1, 2, 3].map(|number| lineage.knows(number)), [true, true, false, true]);
        lineage.cut(PhysicalOffset(100));
        check(&mut lineage, false, Some("1-0"));
    }

    #[test]
    fn a_java_leader_leaves_no_epochs() {
        let mut lineage = Lineage::new(epochs(&[(2, 7)]));
        lineage.adopt(Epochs::default());
        check(&mut lineage, false, Some(""));
    }
}
