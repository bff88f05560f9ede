//! How an actor ends: by an ordered stop, or because its store has failed.

use std::sync::Arc;

use super::raft::ends_write;
use super::{Actor, Inbound};
use crate::broker::error::Error;
use crate::broker::event::Event;
use crate::broker::handle::Exit;

impl Actor {
    /// The ordered stop.
    pub(super) async fn stop(&mut self) -> Exit {
        self.parts.mailbox.close();
        let (mut requests, mut results, mut incoming) = (Vec::new(), Vec::new(), Vec::new());
        while let Ok(request) = self.parts.mailbox.try_recv() {
            requests.push(request);
        }
        self.drain(&mut requests, &mut results, &mut incoming);
        let mut actions = Vec::new();
        let now = self.now();
        self.parts.core.handle(now, Event::Stopping, &mut actions);
        self.settle(&mut actions);
        self.parts.store.drain();
        loop {
            self.settle(&mut Vec::new());
            if self.under_way == 0 && self.jobs.is_empty() && self.parts.store.is_drained() {
                break;
            }
            if let Some(result) = self.parts.inbound.recv().await {
                results.push(result);
                self.drain(&mut requests, &mut results, &mut incoming);
            }
        }
        self.finish().await
    }

    /// Writes what is left: the tables, then the store to its last byte.
    async fn finish(&mut self) -> Exit {
        let now = self.now();
        let files = self.parts.core.final_files(now);
        let last = self.parts.store.stopping(now);
        let (disk, folder) = (Arc::clone(&self.parts.env.disk), self.parts.config_folder.clone());
        let written = self
            .parts
            .share
            .run(move || {
                for (file, content) in files {
                    let backup = folder.join(format!("{}.bak", file.file_name()));
                    disk.replace(&folder.join(file.file_name()), &content, Some(&backup))
                        .map_err(|error| format!("{}: {error}", file.file_name()))?;
                }
                Ok(last.run(&*disk))
            })
            .await;
        let problem = match written {
            Ok(Ok(done)) => {
                let now = self.now();
                let events = self.parts.store.complete(done, now);
                events.into_iter().find_map(|event| match event {
                    crate::store::Event::Failed(error) => Some(error.to_string()),
                    crate::store::Event::Flushed(flushed) => {
                        let mut actions = Vec::new();
                        self.parts.core.handle(now, Event::Flushed(flushed), &mut actions);
                        actions.into_iter().for_each(|action| self.act(action));
                        None
                    }
                    _ => None,
                })
            }
            Ok(Err(problem)) => Some(problem),
            Err(full) => Some(full.to_string()),
        };
        match problem {
            None => Exit::Stopped,
            Some(reason) => Exit::Failed(reason),
        }
    }

    /// Answers whoever waits and ends; the supervisor starts the broker anew.
    pub(super) async fn fail(&mut self, reason: String) -> Exit {
        tracing::error!(broker = %self.parts.owner, reason, "broker failed");
        self.parts.mailbox.close();
        while let Ok(request) = self.parts.mailbox.try_recv() {
            let reason = format!("the broker has failed: {reason}");
            request.reply.answer(Error::Busy { reason }.to_response());
        }
        // Jobs under way still hold the store's files; the next start must not meet them.
        while self.under_way > 0 {
            match self.parts.inbound.recv().await {
                Some(Inbound::Job(_) | Inbound::JobLost) => self.under_way -= 1,
                Some(Inbound::Event(event)) if ends_write(&event) => self.under_way -= 1,
                Some(_) => {}
                None => break,
            }
        }
        Exit::Failed(reason)
    }
}
