//! M/M/c on nexosim, with one thread: a model that schedules its own arrivals and departures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nexosim::model::{Context, Model, schedulable};
use nexosim::simulation::{Mailbox, SimInit};
use nexosim::time::MonotonicTime;
use plimsoll_scenarios::rng::Stream;
use serde::{Deserialize, Serialize};

use crate::Played;

/// The draws and the result are not part of what nexosim may save.
#[derive(Serialize, Deserialize)]
struct Station {
    rate: f64,
    slots: u32,
    busy: u32,
    queue: std::collections::VecDeque<f64>,
    to_come: u64,
    waits_s: f64,
    #[serde(skip, default = "draws")]
    draws: Stream,
    #[serde(skip)]
    waited_bits: Arc<AtomicU64>,
}

fn draws() -> Stream {
    Stream::new(1, "nexosim", "draws", 0)
}

fn seconds(context: &Context<Station>) -> f64 {
    context.time().duration_since(MonotonicTime::EPOCH).as_secs_f64()
}

#[Model]
impl Station {
    #[nexosim(init)]
    async fn init(&mut self, context: &Context<Self>) {
        context
            .schedule_event(Duration::from_nanos(1), schedulable!(Self::arrive), ())
            .expect("it lies ahead");
    }

    #[nexosim(schedulable)]
    fn arrive(&mut self, (): (), context: &Context<Self>) {
        if self.busy < self.slots {
            self.busy += 1;
            self.start(context);
        } else {
            self.queue.push_back(seconds(context));
        }
        if self.to_come > 0 {
            self.to_come -= 1;
            let gap = self.draws.exponential() / self.rate;
            context.schedule_event(ahead(gap), schedulable!(Self::arrive), ()).expect("it lies ahead");
        }
    }

    fn start(&mut self, context: &Context<Self>) {
        let service = self.draws.exponential();
        context.schedule_event(ahead(service), schedulable!(Self::depart), ()).expect("it lies ahead");
    }

    #[nexosim(schedulable)]
    fn depart(&mut self, (): (), context: &Context<Self>) {
        if let Some(came) = self.queue.pop_front() {
            self.waits_s += seconds(context) - came;
            self.start(context);
        } else {
            self.busy -= 1;
        }
        self.waited_bits.store(self.waits_s.to_bits(), Ordering::Relaxed);
    }
}

/// Its clock has nanoseconds, and an event of now is refused.
fn ahead(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds).max(Duration::from_nanos(1))
}

pub fn play(slots: u32, rate: f64, customers: u64) -> Played {
    let waited = Arc::new(AtomicU64::new(0));
    let station = Station {
        rate,
        slots,
        busy: 0,
        queue: std::collections::VecDeque::new(),
        to_come: customers - 1,
        waits_s: 0.0,
        draws: draws(),
        waited_bits: waited.clone(),
    };
    let mut simulation = SimInit::with_num_threads(1)
        .add_model(station, Mailbox::new(), "station")
        .init(MonotonicTime::EPOCH)
        .expect("one model is a valid bench");
    simulation.run().expect("nothing stops it");
    Played { customers, mean_wait_s: f64::from_bits(waited.load(Ordering::Relaxed)) / customers as f64 }
}
