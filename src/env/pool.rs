//! The shared pool of I/O threads: a fixed number for the whole container, whatever the number of brokers.
//!
//! ```text
//! broker a --share a--\                      /-- thread 1
//! broker b --share b---> one bounded queue --+-- thread 2
//! broker c --share c--/                      \-- ...
//! ```
//!
//! A share bounds how many jobs of one broker wait or run at a time, so that one broker's cold reads cannot fill the
//! queue for its neighbours.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crossbeam_channel::{Sender, TrySendError, bounded};

/// Work for a thread of the pool.
pub type Job = Box<dyn FnOnce() + Send>;

/// A job with its place in its share; the place is given back when the job has run, panicked or been dropped.
struct Work {
    job: Job,
    /// `None` when the job itself holds it.
    place: Option<Place>,
}

/// The pool; a clone is another handle on the same threads. They end when the last handle is dropped.
#[derive(Clone)]
pub struct IoPool {
    queue: Sender<Work>,
    /// Threads that run a job now.
    running: Arc<AtomicUsize>,
}

/// A job was not taken because the queue or the share is full.
#[derive(Debug, thiserror::Error)]
#[error("the I/O pool is full: {waiting} jobs of this broker wait or run, {limit} may")]
pub struct Full {
    /// Jobs of the share that wait or run.
    pub waiting: usize,
    /// Its limit.
    pub limit: usize,
}

/// A job that was not taken, to be submitted again.
pub struct Refused {
    /// Why.
    pub full: Full,
    /// The job.
    pub job: Job,
}

/// One broker's part of the pool.
#[derive(Clone)]
pub struct Share {
    queue: Sender<Work>,
    busy: Arc<AtomicUsize>,
    limit: usize,
}

impl IoPool {
    /// Starts `threads` threads named `io-0`, `io-1`, ... with a queue of `queue_limit` jobs.
    ///
    /// # Errors
    /// The kernel's, when a thread cannot be started.
    pub fn start(threads: usize, queue_limit: usize) -> io::Result<IoPool> {
        let (queue, jobs) = bounded::<Work>(queue_limit.max(1));
        let running = Arc::new(AtomicUsize::new(0));
        for number in 0..threads.max(1) {
            let (jobs, running) = (jobs.clone(), Arc::clone(&running));
            thread::Builder::new().name(format!("io-{number}")).spawn(move || {
                for Work { job, place } in jobs {
                    // A panic in a job must not cost the container a thread; whoever waits for the job sees its
                    // answer channel closed and fails its own broker.
                    running.fetch_add(1, Ordering::Relaxed);
                    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                    running.fetch_sub(1, Ordering::Relaxed);
                    if outcome.is_err() {
                        tracing::error!("a job of the i/o pool panicked");
                    }
                    drop(place);
                }
            })?;
        }
        Ok(IoPool { queue, running })
    }

    /// A share that has at most `limit` jobs waiting or running.
    #[must_use]
    pub fn share(&self, limit: usize) -> Share {
        Share { queue: self.queue.clone(), busy: Arc::default(), limit: limit.max(1) }
    }

    /// Threads that run a job now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// Jobs that wait for a thread.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }
}

impl Share {
    /// Hands a job to the pool.
    ///
    /// # Errors
    /// [`Refused`] with the job when the share's limit or the queue's is reached; it may be submitted again later.
    pub fn submit(&self, job: Job) -> Result<(), Refused> {
        match self.take_place() {
            Ok(place) => self.enqueue(Work { job, place: Some(place) }),
            Err(full) => Err(Refused { full, job }),
        }
    }

    fn take_place(&self) -> Result<Place, Full> {
        let waiting = self.busy.fetch_add(1, Ordering::AcqRel);
        let place = Place(Arc::clone(&self.busy));
        if waiting >= self.limit { Err(Full { waiting, limit: self.limit }) } else { Ok(place) }
    }

    fn enqueue(&self, work: Work) -> Result<(), Refused> {
        self.queue.try_send(work).map_err(|(TrySendError::Full(work) | TrySendError::Disconnected(work))| {
            let full = Full { waiting: self.busy(), limit: self.limit };
            Refused { full, job: work.job }
        })
    }

    /// Runs a job on the pool and waits for its result.
    ///
    /// # Errors
    /// [`Full`] as with [`Share::submit`]; also when the job panicked.
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Full> {
        let (answer, result) = tokio::sync::oneshot::channel();
        let place = self.take_place()?;
        let job = Box::new(move || {
            let outcome = job();
            // Before the answer: who has it may hand in the next job at once and must find the place free.
            drop(place);
            // The caller may have gone; then nobody wants the result.
            let _unwanted = answer.send(outcome);
        });
        self.enqueue(Work { job, place: None }).map_err(|refused| refused.full)?;
        result.await.map_err(|_| Full { waiting: 0, limit: self.limit })
    }

    /// Jobs of this share that wait or run.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.busy.load(Ordering::Acquire)
    }
}

/// Gives the place in the share back, also when the job panics or is dropped unrun.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
