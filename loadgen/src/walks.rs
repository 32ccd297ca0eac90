//! Users of a closed model who each walk sessions of their own.
//!
//! Why not from the pacer's desk: what follows in a session waits for the answer before it, so it belongs to the one
//! user who got that. User `u` of `n` walks the sessions `u`, `u + n`, `u + 2 n` and so on, one after the other.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use plimsoll_scenarios::visits::{Visit, Visits};

use crate::pace::About;
use crate::schedule::{Plan, What};

/// Sessions that begin one after the other without a single request, before a user gives up for this time.
const EMPTY_MAX: u32 = 1_000;

/// All users, each in a session.
#[derive(Debug)]
pub struct Walks {
    visits: Visits,
    plan: Arc<Plan>,
    users: Vec<Mutex<Walker>>,
}

#[derive(Debug)]
struct Walker {
    number: u64,
    visit: Visit,
}

impl Walks {
    pub fn new(visits: Visits, plan: Arc<Plan>, users: usize) -> Self {
        let walker = |number| Mutex::new(Walker { number, visit: visits.begin(number) });
        let users = (0..users as u64).map(walker).collect();
        Self { visits, plan, users }
    }

    /// What a user does next, in the order in which it goes out, and how long the user thinks after it.
    pub fn turn(&self, user: usize) -> (Vec<What>, f64) {
        let users = self.users.len();
        // A poisoned walker has at worst lost one request.
        let mut walker = self.users[user % users].lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..EMPTY_MAX {
            if let Some(turn) = self.visits.next(&mut walker.visit) {
                let first = self.plan.primary(&turn.request);
                let branches = (0..).map_while(|n| self.plan.branch(&turn.request, n));
                return (std::iter::once(first).chain(branches).collect(), turn.think_s);
            }
            walker.number += users as u64;
            walker.visit = self.visits.begin(walker.number);
        }
        (Vec::new(), 0.0)
    }

    /// The request that goes out; `None` of what the device answers. `due` is until it is taken.
    pub fn planned(&self, what: What, due: Instant) -> Option<About> {
        let What::Send(wanted) = what else { return None };
        Some(About::new(&self.plan, wanted, due, false))
    }
}
