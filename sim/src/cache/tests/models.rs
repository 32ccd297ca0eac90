//! Every policy written down again in the plainest way, to compare with.

use std::collections::{BTreeMap, HashMap, VecDeque};

use proptest::prelude::*;

use super::super::sketch::Sketch;
use super::*;

/// A cache that says for each request whether it was a hit.
trait Model {
    fn request(&mut self, id: u32, size: u64) -> bool;
}

/// Oldest first, with sizes.
type Queue = VecDeque<(u32, u64)>;

fn find(queue: &Queue, id: u32) -> Option<usize> {
    queue.iter().position(|&(other, _)| other == id)
}

fn bytes(queue: &Queue) -> u64 {
    queue.iter().map(|&(_, size)| size).sum()
}

/// LRU and FIFO differ in what a hit does.
struct Recency {
    capacity: u64,
    renews: bool,
    queue: Queue,
}

impl Model for Recency {
    fn request(&mut self, id: u32, size: u64) -> bool {
        if let Some(at) = find(&self.queue, id) {
            if self.renews {
                let entry = self.queue.remove(at).unwrap();
                self.queue.push_back(entry);
            }
            return true;
        }
        if size <= self.capacity {
            while bytes(&self.queue) + size > self.capacity {
                self.queue.pop_front();
            }
            self.queue.push_back((id, size));
        }
        false
    }
}

/// CLOCK and SIEVE: a bit of use, and where the spared go.
struct SecondChance {
    capacity: u64,
    sieve: bool,
    queue: VecDeque<(u32, u64, bool)>,
    /// Of SIEVE: who is looked at next.
    hand: Option<u32>,
}

impl SecondChance {
    fn evict(&mut self) {
        if !self.sieve {
            while let Some((id, size, used)) = self.queue.pop_front() {
                if !used {
                    return;
                }
                self.queue.push_back((id, size, false));
            }
        }
        let mut at = self.hand.and_then(|id| self.queue.iter().position(|e| e.0 == id)).unwrap_or(0);
        while self.queue[at].2 {
            self.queue[at].2 = false;
            at = (at + 1) % self.queue.len();
        }
        self.queue.remove(at);
        // From the newest the hand goes back to the oldest.
        self.hand = self.queue.get(at).map(|e| e.0);
    }
}

impl Model for SecondChance {
    fn request(&mut self, id: u32, size: u64) -> bool {
        if let Some(entry) = self.queue.iter_mut().find(|e| e.0 == id) {
            entry.2 = true;
            return true;
        }
        if size <= self.capacity {
            while self.queue.iter().map(|e| e.1).sum::<u64>() + size > self.capacity {
                self.evict();
            }
            self.queue.push_back((id, size, false));
        }
        false
    }
}

struct Frequency {
    capacity: u64,
    /// Uses, turn at which that number was reached, and size, by id.
    held: BTreeMap<u32, (u64, u64, u64)>,
    turn: u64,
}

impl Model for Frequency {
    fn request(&mut self, id: u32, size: u64) -> bool {
        self.turn += 1;
        if let Some(entry) = self.held.get_mut(&id) {
            *entry = (entry.0 + 1, self.turn, entry.2);
            return true;
        }
        if size <= self.capacity {
            while self.held.values().map(|e| e.2).sum::<u64>() + size > self.capacity {
                let victim = *self.held.iter().min_by_key(|(_, e)| (e.0, e.1)).unwrap().0;
                self.held.remove(&victim);
            }
            self.held.insert(id, (1, self.turn, size));
        }
        false
    }
}

struct S3 {
    capacity: u64,
    small: Queue,
    main: Queue,
    ghost: Queue,
    uses: HashMap<u32, u32>,
}

impl S3 {
    fn evict(&mut self) {
        let main_max = self.capacity - self.capacity / 10;
        if bytes(&self.main) <= main_max {
            while let Some((id, size)) = self.small.pop_front() {
                if self.uses.insert(id, 0).unwrap() > 1 {
                    self.main.push_back((id, size));
                    continue;
                }
                self.ghost.push_back((id, size));
                while bytes(&self.ghost) > main_max {
                    self.ghost.pop_front();
                }
                return;
            }
        }
        while let Some((id, size)) = self.main.pop_front() {
            let uses = self.uses.get_mut(&id).unwrap();
            if *uses == 0 {
                return;
            }
            *uses = (*uses).min(3) - 1;
            self.main.push_back((id, size));
        }
    }
}

impl Model for S3 {
    fn request(&mut self, id: u32, size: u64) -> bool {
        if find(&self.small, id).or(find(&self.main, id)).is_some() {
            *self.uses.get_mut(&id).unwrap() += 1;
            return true;
        }
        if size > self.capacity {
            return false;
        }
        let remembered = find(&self.ghost, id).and_then(|at| self.ghost.remove(at)).is_some();
        while bytes(&self.small) + bytes(&self.main) + size > self.capacity {
            self.evict();
        }
        self.uses.insert(id, 0);
        if remembered {
            self.main.push_back((id, size));
        } else {
            self.small.push_back((id, size));
        }
        false
    }
}

/// Exact counts instead of a sketch: right for ids that share no counter.
struct TinyLfu {
    capacity: u64,
    window: Queue,
    probation: Queue,
    protected: Queue,
    counts: HashMap<u32, u64>,
    counted: u64,
    held_most: usize,
}

impl TinyLfu {
    fn new(capacity: u64) -> Self {
        let (window, probation, protected) = Default::default();
        Self { capacity, window, probation, protected, counts: HashMap::new(), counted: 0, held_most: 16 }
    }

    fn window_max(&self) -> u64 {
        (self.capacity / 100).max(1).min(self.capacity)
    }

    fn count(&mut self, id: u32) {
        let count = self.counts.entry(id).or_default();
        if *count < 15 {
            *count += 1;
            self.counted += 1;
        }
        if self.counted >= 10 * self.held_most as u64 {
            self.counts.values_mut().for_each(|count| *count /= 2);
            self.counted /= 2;
        }
    }

    fn hit(&mut self, id: u32) -> bool {
        if let Some(at) = find(&self.window, id) {
            let entry = self.window.remove(at).unwrap();
            self.window.push_back(entry);
        } else if let Some(at) = find(&self.protected, id) {
            let entry = self.protected.remove(at).unwrap();
            self.protected.push_back(entry);
        } else if let Some(at) = find(&self.probation, id) {
            let entry = self.probation.remove(at).unwrap();
            self.protected.push_back(entry);
            while bytes(&self.protected) > (self.capacity - self.window_max()) * 4 / 5 {
                let oldest = self.protected.pop_front().unwrap();
                self.probation.push_back(oldest);
            }
        } else {
            return false;
        }
        true
    }

    fn admit(&mut self, (id, size): (u32, u64)) {
        let main_max = self.capacity - self.window_max();
        if size > main_max {
            return;
        }
        while bytes(&self.probation) + bytes(&self.protected) + size > main_max {
            let from = if self.probation.is_empty() { &mut self.protected } else { &mut self.probation };
            let count = |id: &u32| self.counts.get(id).copied().unwrap_or(0);
            if count(&from[0].0) >= count(&id) {
                return;
            }
            from.pop_front();
        }
        self.probation.push_back((id, size));
    }
}

impl Model for TinyLfu {
    fn request(&mut self, id: u32, size: u64) -> bool {
        self.count(id);
        if self.hit(id) {
            return true;
        }
        if size <= self.capacity {
            self.window.push_back((id, size));
            while bytes(&self.window) > self.window_max() {
                let oldest = self.window.pop_front().unwrap();
                self.admit(oldest);
            }
            let held = self.window.len() + self.probation.len() + self.protected.len();
            while held > self.held_most {
                self.held_most *= 2;
            }
        }
        false
    }
}

fn model(policy: Policy, capacity: u64) -> Box<dyn Model> {
    let recency = |renews| Box::new(Recency { capacity, renews, queue: Queue::new() });
    let chance = |sieve| Box::new(SecondChance { capacity, sieve, queue: VecDeque::new(), hand: None });
    match policy {
        Policy::Lru => recency(true),
        Policy::Fifo => recency(false),
        Policy::Clock => chance(false),
        Policy::Sieve => chance(true),
        Policy::Lfu => Box::new(Frequency { capacity, held: BTreeMap::new(), turn: 0 }),
        Policy::S3Fifo => {
            let (small, main, ghost) = Default::default();
            Box::new(S3 { capacity, small, main, ghost, uses: HashMap::new() })
        }
        Policy::WTinyLfu => Box::new(TinyLfu::new(capacity)),
    }
}

/// Few ids with sizes of their own, and a capacity from nothing to nearly all.
fn small_trace() -> impl Strategy<Value = (Vec<usize>, Vec<u64>, u64)> {
    let names = prop::collection::vec((0..24_usize, 0..24_usize).prop_map(|(a, b)| a.min(b)), 1..400);
    (names, prop::collection::vec(1..9_u64, 24), 0..100_u64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn every_policy_agrees_with_its_model(
        (trace, sizes, capacity) in small_trace(),
        equal in any::<bool>(),
    ) {
        // Ids whose counters in a sketch of any size up to the largest here are their own.
        let ids = Sketch::apart(16, 24);
        let highest = ids.iter().copied().max().unwrap_or(0);
        let mut by_id = vec![1; highest as usize + 1];
        if !equal {
            ids.iter().zip(&sizes).for_each(|(&id, &size)| by_id[id as usize] = size);
        }
        for (_, policy) in Policy::NAMES {
            let known = Sizes::Each(by_id.clone().into());
            let (mut cache, mut model) = (Cache::new(policy, highest + 1, capacity, known), model(policy, capacity));
            for (turn, &name) in trace.iter().enumerate() {
                let id = ids[name];
                let (found, expected) = (cache.request(id), model.request(id, by_id[id as usize]));
                prop_assert_eq!(found, expected, "{:?} at turn {}", policy, turn);
            }
        }
    }
}
