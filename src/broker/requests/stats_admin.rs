//! tmp
use crate::protocol::command::Command; use crate::store::{Patience, ReadError, View};
/// tmp
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsQuery;
impl StatsQuery { /// tmp
 pub fn run(&self, _v: &View, _p: Patience) -> Result<Command, ReadError> { unimplemented!() } }
