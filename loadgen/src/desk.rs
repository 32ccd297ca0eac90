//! Where the pacer and goose's users meet: requests that wait for a user, and users who wait for a request.
//!
//! Why seats and not a queue alone: waking a sleeping thread costs as much as a request, and takes as long as the lag that
//! is allowed. A user who has nothing to do leaves a waker at a seat of his own. The pacer sends the request itself, in
//! his name: it polls the connection with *his* waker and leaves what is under way at his seat. So he is woken once, when
//! the answer is there, and nobody else has to run before the request leaves.
//!
//! Why users wait in a stack: who came last is called first, so as few are in use, and as warm, as suffice.
//!
//! Why what waits and what is left at a seat are different things: while the target stalls, many thousands wait, and what
//! nobody has sent yet needs no more than what makes the request.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Items (`I`) wait for users first in, first out; users wait last in, first out, for what is left at their seats (`S`).
#[derive(Debug)]
pub struct Desk<I, S> {
    line: Mutex<Line<I>>,
    seats: Vec<Mutex<Seat<S>>>,
    waiting_max: usize,
    closed: AtomicBool,
}

/// At most one of the two is not empty.
#[derive(Debug)]
struct Line<I> {
    items: VecDeque<I>,
    users: Vec<usize>,
}

#[derive(Debug)]
struct Seat<S> {
    /// Left there for the user, and when.
    item: Option<(S, Instant)>,
    waker: Waker,
}

/// The seat of a user who waits, until something is left there.
#[derive(Debug)]
pub struct Place<'a, S> {
    pub user: usize,
    seat: MutexGuard<'a, Seat<S>>,
}

impl<I, S: From<I>> Desk<I, S> {
    /// For so many users, and so many items that may wait for one.
    pub fn new(users: usize, waiting_max: usize) -> Self {
        let seat = || Mutex::new(Seat { item: None, waker: Waker::noop().clone() });
        Self {
            line: Mutex::new(Line { items: VecDeque::new(), users: Vec::with_capacity(users) }),
            seats: (0..users).map(|_| seat()).collect(),
            waiting_max,
            closed: AtomicBool::new(false),
        }
    }

    /// The seat of a user who has nothing to do, if there is one. Something must be left there.
    pub fn place(&self) -> Option<Place<'_, S>> {
        let user = held(&self.line).users.pop()?;
        Some(Place { user, seat: held(&self.seats[user]) })
    }

    /// Gives an item to whoever waits, or else lets it wait; gives it back if too many do. Never waits for room.
    pub fn push(&self, item: I) -> Result<(), I> {
        let mut line = held(&self.line);
        if let Some(user) = line.users.pop() {
            drop(line);
            Place { user, seat: held(&self.seats[user]) }.leave_and_call(item.into());
            return Ok(());
        }
        if line.items.len() >= self.waiting_max {
            return Err(item);
        }
        line.items.push_back(item);
        Ok(())
    }

    /// Nothing more will come; what waits can still be taken.
    pub fn close(&self) {
        self.closed.store(true, Release);
        // Whoever sits down later sees that it is closed.
        let users = std::mem::take(&mut held(&self.line).users);
        for user in users {
            held(&self.seats[user]).waker.wake_by_ref();
        }
    }

    /// The next item for a user, when there is one; `None` once the desk is closed and nothing waits.
    pub async fn next(&self, user: usize) -> Option<S> {
        let mut seated = false;
        poll_fn(|context| {
            if !seated {
                seated = true;
                return self.sit_down(user, context);
            }
            let mut seat = held(&self.seats[user]);
            if let Some((item, _)) = seat.item.take() {
                return Poll::Ready(Some(item));
            }
            seat.waker.clone_from(context.waker());
            if self.closed.load(Acquire) { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }

    /// Takes what waits, or makes the user one who does.
    fn sit_down(&self, user: usize, context: &Context<'_>) -> Poll<Option<S>> {
        let mut line = held(&self.line);
        if let Some(item) = line.items.pop_front() {
            return Poll::Ready(Some(item.into()));
        }
        if self.closed.load(Acquire) {
            return Poll::Ready(None);
        }
        held(&self.seats[user]).waker.clone_from(context.waker());
        line.users.push(user);
        Poll::Pending
    }

    /// Calls every user at whose seat something has been left for so long, to see for himself.
    pub fn call(&self, after: Duration) {
        let now = Instant::now();
        for seat in &self.seats {
            // One that is locked is being looked at.
            if let Ok(seat) = seat.try_lock()
                && seat.item.as_ref().is_some_and(|(_, since)| now.saturating_duration_since(*since) >= after)
            {
                seat.waker.wake_by_ref();
            }
        }
    }
}

impl<S> Place<'_, S> {
    /// Wakes the user: for whatever brings him the news.
    pub fn waker(&self) -> &Waker {
        &self.seat.waker
    }

    /// Leaves an item; the user is woken by somebody else.
    pub fn leave(mut self, item: S) {
        self.seat.item = Some((item, Instant::now()));
    }

    /// Leaves an item, and wakes the user.
    pub fn leave_and_call(mut self, item: S) {
        self.seat.item = Some((item, Instant::now()));
        self.seat.waker.wake_by_ref();
    }
}

/// Poisoning needs a panic within a push or pop; what is behind the lock is then still whole.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closes a desk when dropped, so that its users end also if the pacer should panic.
#[derive(Debug)]
pub struct CloseAtEnd<'a, I, S: From<I>>(pub &'a Desk<I, S>);

impl<I, S: From<I>> Drop for CloseAtEnd<'_, I, S> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Lets 50 users on two threads take what `hand` puts in, and gives all that they got.
    fn taken(hand: impl FnOnce(&Desk<u32, u32>)) -> Vec<u32> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        let desk = Arc::new(Desk::new(50, 10_000));
        let takers: Vec<_> = (0..50)
            .map(|user| {
                let desk = Arc::clone(&desk);
                runtime.spawn(async move {
                    let mut taken = Vec::new();
                    while let Some(item) = desk.next(user).await {
                        taken.push(item);
                        tokio::task::yield_now().await;
                    }
                    taken
                })
            })
            .collect();
        hand(&desk);
        desk.close();
        let all = async {
            let mut all = Vec::new();
            for taker in takers {
                all.extend(taker.await.unwrap());
            }
            all
        };
        let mut all = runtime
            .block_on(async { tokio::time::timeout(Duration::from_mins(1), all).await })
            .expect("nobody may be forgotten");
        all.sort_unstable();
        all
    }

    #[test]
    fn every_item_is_taken_once_and_the_end_reaches_everybody() {
        let all = taken(|desk| (0..10_000).for_each(|item| desk.push(item).unwrap()));
        assert!(all.into_iter().eq(0..10_000));
    }

    #[test]
    fn what_is_left_at_a_seat_is_found_whenever_its_user_is_woken() {
        let all = taken(|desk| {
            for item in 0..10_000 {
                match desk.place() {
                    // Woken before the item is there, as by an answer that is quick.
                    Some(place) if item % 2 == 0 => {
                        place.waker().wake_by_ref();
                        place.leave(item);
                    }
                    Some(place) => place.leave_and_call(item),
                    None => desk.push(item).unwrap(),
                }
            }
        });
        assert!(all.into_iter().eq(0..10_000));
    }

    #[test]
    fn a_user_whom_nobody_wakes_is_called() {
        let all = taken(|desk| {
            let place = loop {
                match desk.place() {
                    Some(place) => break place,
                    None => std::thread::yield_now(),
                }
            };
            let user = place.user;
            place.leave(7);
            desk.call(Duration::ZERO);
            while held(&desk.seats[user]).item.is_some() {
                std::thread::yield_now();
            }
        });
        assert_eq!(all, [7]);
    }

    #[test]
    fn too_many_that_wait_are_given_back() {
        let desk = Desk::<u32, u32>::new(1, 2);
        assert_eq!([desk.push(1), desk.push(2), desk.push(3)], [Ok(()), Ok(()), Err(3)]);
    }
}
