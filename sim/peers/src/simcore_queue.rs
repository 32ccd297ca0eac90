//! M/M/c on simcore: a source and a station as components, an event for each arrival and each end of service.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use plimsoll_scenarios::rng::Stream;
use serde::Serialize;
use simcore::{Event, EventHandler, Simulation, SimulationContext, cast};

use crate::Played;

#[derive(Clone, Serialize)]
struct Arrival {}

#[derive(Clone, Serialize)]
struct Departure {}

struct Station {
    context: SimulationContext,
    draws: Stream,
    rate: f64,
    slots: u32,
    busy: u32,
    queue: VecDeque<f64>,
    to_come: u64,
    waits_s: f64,
}

impl Station {
    fn arrive(&mut self) {
        let now = self.context.time();
        if self.busy < self.slots {
            self.busy += 1;
            self.start();
        } else {
            self.queue.push_back(now);
        }
        if self.to_come > 0 {
            self.to_come -= 1;
            let gap = self.draws.exponential() / self.rate;
            self.context.emit_self(Arrival {}, gap);
        }
    }

    fn start(&mut self) {
        let service = self.draws.exponential();
        self.context.emit_self(Departure {}, service);
    }

    fn depart(&mut self) {
        if let Some(came) = self.queue.pop_front() {
            self.waits_s += self.context.time() - came;
            self.start();
        } else {
            self.busy -= 1;
        }
    }
}

impl EventHandler for Station {
    fn on(&mut self, event: Event) {
        cast!(match event.data {
            Arrival {} => {
                self.arrive();
            }
            Departure {} => {
                self.depart();
            }
        });
    }
}

pub fn play(slots: u32, rate: f64, customers: u64) -> Played {
    let mut simulation = Simulation::new(1);
    let station = Rc::new(RefCell::new(Station {
        context: simulation.create_context("station"),
        draws: Stream::new(1, "simcore", "draws", 0),
        rate,
        slots,
        busy: 0,
        queue: VecDeque::new(),
        to_come: customers - 1,
        waits_s: 0.0,
    }));
    simulation.add_handler("station", station.clone());
    station.borrow().context.emit_self(Arrival {}, 0.0);
    simulation.step_until_no_events();
    let waits_s = station.borrow().waits_s;
    Played { customers, mean_wait_s: waits_s / customers as f64 }
}
