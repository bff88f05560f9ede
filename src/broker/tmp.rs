use super::{core::*,action::*,error::Error,snapshot::Snapshot};
use crate::protocol::{ids::*,command::Command}; use std::sync::Arc; use bytes::Bytes;
use super::requests::send::MessageKind;
impl Core {
 pub(super) fn dispatch_admin(&mut self,_:Millis,_:RequestId,_:&Client,c:&Command,_:&mut Vec<Action>)->Result<(),Error>{Err(Error::CodeUnknown{code:c.code})}
 pub(super) fn consume_directly_found(&mut self,_:RequestId,_:crate::remoting::ConnectionId,_:Command,_:Result<Option<Bytes>,String>,_:&mut Vec<Action>)->Result<(),Error>{Ok(())}
 pub(super) fn offsets_found(&mut self,_:Millis,_:&OffsetSearch,_:Result<Vec<(QueueId,QueueOffset)>,String>,_:&mut Vec<Action>){}
 pub(super) fn announcement(&self)->Announcement{Announcement{identity:self.config.identity.clone(),topics:Arc::new(self.topics.announcement(i32::from(self.config.requests.permission)))}}
 pub(super) fn count_put(&mut self,now:Millis,topic:&Arc<str>,_:MessageKind,m:usize,b:usize){ let t=self.stats.topic(topic); t.put_nums.add(now,m as u64); t.put_size.add(now,b as u64); self.stats.put.add(now,m as u64);}
 pub(super) fn note_pull_kind(&mut self,_:bool){}
 pub(super) fn snapshot(&self,_:Millis)->Snapshot{Snapshot}
}
