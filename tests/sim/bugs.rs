//! Mistakes a program like this one could make, planted where the world drives it: each must be caught.

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A producer is answered before its message is on disk.
    AnswerBeforeFlush,
    /// A follower reports what is not on its disk.
    ReportBeforeFlush,
    /// Two links of one follower count as two replicas.
    CountLinks,
    /// A follower does not cut its log back.
    SkipCut,
    /// A leader's epochs are gone after a restart.
    ForgetEpochs,
    /// A report above what was sent is believed.
    BelieveReports,
    /// A disk says it has synced and has not.
    LyingDisk,
    /// A leader begins a life with the number of the one before.
    ReuseEpoch,
    /// A bit of a frame is turned on its way.
    TurnBit,
    /// The leader stops sending.
    SendNothingNew,
    /// An answer goes out twice.
    AnswerTwice,
    /// Recovery stops before the last record, and its number is given again.
    StopRecoveryEarly,
    /// A master that joins its group leads without asking the others.
    LeadUncompared,
    /// Followers are let in before such a master leads, and cut back to what it has.
    LetInEarly,
}

impl Bug {
    /// Whether it is one of groups whose master joins them.
    pub fn is_of_joining(self) -> bool {
        matches!(self, Bug::LeadUncompared | Bug::LetInEarly)
    }

    pub const ALL: [Bug; 14] = [
        Bug::AnswerBeforeFlush,
        Bug::ReportBeforeFlush,
        Bug::CountLinks,
        Bug::SkipCut,
        Bug::ForgetEpochs,
        Bug::BelieveReports,
        Bug::LyingDisk,
        Bug::ReuseEpoch,
        Bug::TurnBit,
        Bug::SendNothingNew,
        Bug::AnswerTwice,
        Bug::StopRecoveryEarly,
        Bug::LeadUncompared,
        Bug::LetInEarly,
    ];
}
