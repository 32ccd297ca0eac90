//! Worlds: the scenario with every range drawn to one value.
//!
//! Why by place: a value that several parts share (an object's size is also its response) keeps its origin in
//! each of them, so one draw for each origin keeps them the same value.

use std::fmt;

use crate::arrivals::Diurnal;
use crate::diagnostic::Origin;
use crate::scenario::{ActorNumber, Demand, Growth, Scenario};
use crate::units::{Dimension, Quantity};

/// A quantity of any dimension.
pub trait AnyQuantity {
    fn origin(&self) -> Origin;
    fn text(&self) -> &str;
    fn range(&self) -> Option<(f64, f64)>;
    /// The value at a standard normal score.
    fn at_score(&self, score: f64) -> f64;
    /// Becomes its value at a score, known.
    fn settle(&mut self, score: f64);
}

impl<D: Dimension> AnyQuantity for Quantity<D> {
    fn origin(&self) -> Origin {
        self.origin
    }
    fn text(&self) -> &str {
        &self.text
    }
    fn range(&self) -> Option<(f64, f64)> {
        self.range
    }
    fn at_score(&self, score: f64) -> f64 {
        Self::at_score(self, score)
    }
    fn settle(&mut self, score: f64) {
        *self = self.known(Self::at_score(self, score));
    }
}

/// What is done with a quantity of this name.
type Visit<'v> = dyn FnMut(fmt::Arguments<'_>, &mut dyn AnyQuantity) + 'v;

/// An input that is known as a range only.
#[derive(Debug, Clone, PartialEq)]
pub struct Uncertain {
    /// Where it is said, for people: `play, per user`.
    pub name: String,
    pub origin: Origin,
    /// As written.
    pub text: String,
}

impl Scenario {
    /// The inputs that are ranges, in order of place, each once.
    #[must_use]
    pub fn uncertain(&self) -> Vec<Uncertain> {
        let mut found: Vec<Uncertain> = Vec::new();
        self.clone().each_quantity(&mut |name, quantity| {
            if quantity.range().is_some() && !found.iter().any(|u| u.origin == quantity.origin()) {
                found.push(Uncertain {
                    name: name.to_string(),
                    origin: quantity.origin(),
                    text: quantity.text().to_owned(),
                });
            }
        });
        found.sort_by_key(|u| (u.origin.file, u.origin.line, u.origin.column));
        found
    }

    /// This scenario where every range has the value at its input's standard normal score; a range for
    /// which there is no score stays.
    #[must_use]
    pub fn world(&self, score: &dyn Fn(Origin) -> Option<f64>) -> Self {
        let mut world = self.clone();
        world.each_quantity(&mut |_, quantity| {
            if quantity.range().is_some()
                && let Some(score) = score(quantity.origin())
            {
                quantity.settle(score);
            }
        });
        let mut before: Option<(f64, f64, Diurnal)> = None;
        for region in &mut world.population.regions {
            if let (Some(peak), &Diurnal::Peak { peak_at_s, .. }) = (&region.peak_to_mean, &region.diurnal) {
                let height = peak.get().max(1.0);
                // Most regions have the height of the one before, and a height that is no range stays.
                if (region.diurnal.peak() - height).abs() < 1e-9 {
                    continue;
                }
                region.diurnal = match &before {
                    Some((known, at, day)) if *known == height && *at == peak_at_s => day.clone(),
                    _ => Diurnal::with_peak(height, peak_at_s),
                };
                before = Some((height, peak_at_s, region.diurnal.clone()));
            }
        }
        world
    }

    /// Visits every quantity with a name for people, which is only spelt out where it is wanted.
    fn each_quantity(&mut self, visit: &mut Visit<'_>) {
        let population = &mut self.population;
        visit(format_args!("users"), &mut population.users);
        visit(format_args!("active share"), &mut population.active);
        visit(format_args!("growth a year"), &mut population.growth_per_year);
        population.downlink.iter_mut().for_each(|q| visit(format_args!("downlink"), q));
        population
            .regions
            .iter_mut()
            .filter_map(|r| r.peak_to_mean.as_mut())
            .for_each(|q| visit(format_args!("peak to mean"), q));
        visit(format_args!("path stretch"), &mut population.path_stretch);
        for region in &mut population.regions {
            let name = &region.name;
            region.area.iter_mut().for_each(|q| visit(format_args!("{name}, area"), q));
        }
        if let Some(sessions) = &mut population.sessions {
            visit(format_args!("sessions, per user"), &mut sessions.per_user);
            visit(format_args!("sessions, length"), &mut sessions.lasts);
        }
        for (name, actor) in &mut population.actors {
            match &mut actor.number {
                ActorNumber::Count(count) => visit(format_args!("{name}, count"), count),
                ActorNumber::Share(share) => visit(format_args!("{name}, share"), share),
            }
            visit(format_args!("{name}, active share"), &mut actor.active);
        }
        self.each_of_datasets(visit);
        self.each_of_actions(visit);
        self.each_of_tiers(visit);
    }

    fn each_of_datasets(&mut self, visit: &mut Visit<'_>) {
        for (name, dataset) in &mut self.datasets {
            visit(format_args!("{name}, count"), &mut dataset.count);
            match &mut dataset.growth {
                Some(Growth::Rate(rate)) => visit(format_args!("{name}, growth"), rate),
                Some(Growth::By { each, .. }) => visit(format_args!("{name}, growth"), each),
                None => {}
            }
            dataset.retention.iter_mut().for_each(|q| visit(format_args!("{name}, retention"), q));
            visit(format_args!("{name}, size"), &mut dataset.size);
            dataset.sizes.each_quantity(&mut |q| visit(format_args!("{name}, size"), q));
            dataset.metadata.iter_mut().for_each(|q| visit(format_args!("{name}, metadata"), q));
            visit(format_args!("{name}, churn a day"), &mut dataset.churn_per_day);
            dataset.popularity.each_quantity(&mut |q| visit(format_args!("{name}, popularity"), q));
        }
    }

    fn each_of_actions(&mut self, visit: &mut Visit<'_>) {
        let tiers: Vec<String> = self.tiers.keys().cloned().collect();
        for (name, action) in &mut self.actions {
            match &mut action.demand {
                Demand::PerUser(rate) => visit(format_args!("{name}, per user"), rate),
                Demand::PerActor(_, rate) => visit(format_args!("{name}, per actor"), rate),
                Demand::PerAction(_, each) => visit(format_args!("{name}, per action"), each),
                Demand::Total(rate) => visit(format_args!("{name}, rate"), rate),
            }
            visit(format_args!("{name}, repeats"), &mut action.repeat);
            visit(format_args!("{name}, request"), &mut action.request);
            visit(format_args!("{name}, response"), &mut action.response);
            if let Some(connection) = &mut action.connection {
                visit(format_args!("{name}, connection"), &mut connection.lasts);
                if let Some(beat) = &mut connection.heartbeat {
                    visit(format_args!("{name}, heartbeat"), &mut beat.every);
                    visit(format_args!("{name}, heartbeat"), &mut beat.size);
                }
            }
            let mut call = |call: &mut crate::calls::Call| {
                let to = &tiers[call.tier];
                visit(format_args!("{name}, share to {to}"), &mut call.share);
                visit(format_args!("{name}, fan-out to {to}"), &mut call.fan_out);
                visit(format_args!("{name}, times to {to}"), &mut call.times);
                visit(format_args!("{name}, request to {to}"), &mut call.request);
                visit(format_args!("{name}, response of {to}"), &mut call.response);
                call.client.each_quantity(&mut |what, q| visit(format_args!("{what} of calls to {to}"), q));
            };
            action.calls.each_mut(&mut call);
            for branch in &mut action.then {
                branch.calls.each_mut(&mut call);
            }
            if let Some(beat) = action.connection.as_mut().and_then(|c| c.heartbeat.as_mut()) {
                beat.calls.each_mut(&mut call);
            }
        }
    }

    fn each_of_tiers(&mut self, visit: &mut Visit<'_>) {
        for (name, tier) in &mut self.tiers {
            tier.rtt.iter_mut().for_each(|q| visit(format_args!("{name}, round trip"), q));
            tier.link.iter_mut().for_each(|q| visit(format_args!("{name}, link"), q));
            if let Some(cache) = &mut tier.cache {
                visit(format_args!("{name}, cache"), &mut cache.capacity);
                cache.memory.iter_mut().for_each(|q| visit(format_args!("{name}, memory of the cache"), q));
                cache.ttl.iter_mut().for_each(|q| visit(format_args!("{name}, time to live"), q));
                if let Some(size) = &mut cache.admit.max_size {
                    visit(format_args!("{name}, largest object kept"), size);
                }
            }
            if let Some(station) = &mut tier.station {
                visit(format_args!("{name}, servers"), &mut station.servers);
                visit(format_args!("{name}, concurrency"), &mut station.concurrency);
                for (i, kind) in station.kinds.iter_mut().enumerate() {
                    visit(format_args!("{name}, share of kind {}", i + 1), &mut kind.share);
                    visit(format_args!("{name}, speed of kind {}", i + 1), &mut kind.speed);
                    kind.link
                        .iter_mut()
                        .for_each(|q| visit(format_args!("{name}, link of kind {}", i + 1), q));
                }
                station.service_time.each_quantity(&mut |q| visit(format_args!("{name}, service time"), q));
            }
            if let Some(store) = &mut tier.store {
                store.capacity.iter_mut().for_each(|q| visit(format_args!("{name}, disk"), q));
                store.iops.iter_mut().for_each(|q| visit(format_args!("{name}, IOPS"), q));
            }
            if let Some(external) = &mut tier.external {
                external.latency.each_quantity(&mut |q| visit(format_args!("{name}, latency"), q));
                external.rate_max.iter_mut().for_each(|q| visit(format_args!("{name}, limit"), q));
            }
            tier.queue.iter_mut().for_each(|q| visit(format_args!("{name}, retention"), &mut q.retention));
            if let Some(lag) = &mut tier.replication.lag {
                lag.each_quantity(&mut |q| visit(format_args!("{name}, lag of copies"), q));
            }
            tier.connections_max.iter_mut().for_each(|q| visit(format_args!("{name}, connections"), q));
            tier.availability.iter_mut().for_each(|q| visit(format_args!("{name}, availability"), q));
        }
    }
}
