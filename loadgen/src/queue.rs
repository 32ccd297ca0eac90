//! The bounded queue between the pacer and goose's users.
//!
//! Why our own: one thread that must never wait puts in, hundreds of tasks take out. tokio's semaphore keeps
//! the waiting tasks in a list that costs the same however long it is. Channels that many may receive from
//! (flume was tried) search their list of waiting receivers for every message, which with 512 users cost a
//! quarter or more of the users' CPU time.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

/// First in, first out.
#[derive(Debug)]
pub struct Queue<T> {
    items: Mutex<VecDeque<T>>,
    /// As many permits as there are items that nobody was told of.
    waiting: Semaphore,
    len_max: usize,
}

impl<T> Queue<T> {
    pub fn new(len_max: usize) -> Self {
        Self { items: Mutex::new(VecDeque::with_capacity(len_max)), waiting: Semaphore::new(0), len_max }
    }

    /// Puts an item in, or gives it back if the queue is full. Never waits for room.
    pub fn push(&self, item: T) -> Result<(), T> {
        let mut items = self.items();
        if items.len() >= self.len_max {
            return Err(item);
        }
        items.push_back(item);
        drop(items);
        self.waiting.add_permits(1);
        Ok(())
    }

    /// Nothing more will be put in; what is in the queue can still be taken out.
    pub fn close(&self) {
        self.waiting.close();
    }

    /// The next item, when there is one; `None` once the queue is closed and empty.
    pub async fn pop(&self) -> Option<T> {
        if let Ok(permit) = self.waiting.acquire().await {
            permit.forget();
        }
        self.items().pop_front()
    }

    fn items(&self) -> MutexGuard<'_, VecDeque<T>> {
        // Poisoning needs a panic within a push or pop of a `VecDeque`; its items are then still whole.
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes a queue when dropped, so that its users end also if the pacer should panic.
#[derive(Debug)]
pub struct CloseAtEnd<'a, T>(pub &'a Queue<T>);

impl<T> Drop for CloseAtEnd<'_, T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn every_item_is_taken_once_and_the_end_reaches_everybody() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let queue = Arc::new(Queue::new(10_000));
        let takers: Vec<_> = (0..50)
            .map(|_| {
                let queue = Arc::clone(&queue);
                runtime.spawn(async move {
                    let mut taken = Vec::new();
                    while let Some(item) = queue.pop().await {
                        taken.push(item);
                        tokio::task::yield_now().await;
                    }
                    taken
                })
            })
            .collect();
        for item in 0..10_000 {
            queue.push(item).unwrap();
        }
        queue.close();
        let mut all: Vec<u32> =
            takers.into_iter().flat_map(|taker| runtime.block_on(taker).unwrap()).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..10_000));
    }

    #[test]
    fn a_full_queue_gives_the_item_back() {
        let queue = Queue::new(2);
        assert_eq!([queue.push(1), queue.push(2), queue.push(3)], [Ok(()), Ok(()), Err(3)]);
    }
}
