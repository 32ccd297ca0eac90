//! One pool of servers and nothing else, in columns.
//!
//! Why beside the batches of customers: the most common question of all is one station (M/M/c and its kin), and then nobody
//! goes anywhere. Arrivals and services are columns of plain numbers, and one short loop serves and counts them: while it
//! waits for one beginning of service to follow from the last, there is time to count. What it cannot do (somebody is turned
//! away, a slot of the results ends within a column) is done customer by customer, with the same counts.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Arrivals, BATCH, Play, Running, Tally, Tier, later};
use crate::calendar::frame::UNCOUNTED;
use crate::calendar::tally::Sums;
use crate::calendar::times::{FINE, Times, sum};

/// Action and region of a request.
type Who = (u16, u16);

/// Customers who come one after the other, made in the same slot: when they reach the tier, and who they are, which is
/// empty where all are alike.
#[derive(Debug, Clone, Copy)]
struct Coming<'a> {
    born: &'a [f64],
    at: &'a [f64],
    who: &'a [Who],
}

/// What becomes of them.
#[derive(Debug, Default)]
struct Columns {
    durations: Vec<f64>,
    /// Beginning and end of service; never, where they were turned away.
    starts: Vec<f64>,
    ends: Vec<f64>,
}

struct Lone<'a> {
    play: Play<'a>,
    half_trip: f64,
    /// What all requests are like, where they are.
    alike: Option<Who>,
}

/// Plays one replication; `None` where `stop` was raised.
pub fn play(play: Play<'_>, half_trip: f64, mut requests: Arrivals<'_>, stop: &AtomicBool) -> Option<Tally> {
    let alike = requests.alike().map(|request| (request.action as u16, request.region as u16));
    let mut lone = Lone { play, half_trip, alike };
    let (mut born, mut at, mut who) = (vec![0.0; BATCH], Vec::new(), Vec::new());
    let mut columns = Columns::default();
    loop {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let came = if alike.is_some() {
            requests.times_into(&mut born)
        } else {
            gather(&mut requests, &mut born, &mut who)
        };
        // Large copies take longer than what is done with them: where there is no way to go, born is there.
        let mut there = &born[..];
        if half_trip > 0.0 {
            at.clear();
            at.extend(born.iter().map(|&at_s| later(at_s, half_trip)));
            there = &at[..];
        }
        let mut from = 0;
        while from < came {
            // Requests of one slot at a time.
            lone.play.tally.advance(born[from]);
            let slot_ends = lone.play.tally.slot_ends();
            let to = from + born[from..came].partition_point(|&at_s| at_s < slot_ends);
            let who = who.get(from..to).unwrap_or_default();
            lone.through(Coming { born: &born[from..to], at: &there[from..to], who }, &mut columns);
            from = to;
        }
        if came < BATCH {
            return Some(lone.play.end());
        }
    }
}

/// The next requests, by columns; how many there are.
fn gather(requests: &mut Arrivals<'_>, born: &mut [f64], who: &mut Vec<Who>) -> usize {
    who.clear();
    for born in born {
        if !requests.advance() {
            break;
        }
        let request = requests.current();
        *born = request.at_s;
        who.push((request.action as u16, request.region as u16));
    }
    who.len()
}

impl Lone<'_> {
    /// Customers are served and leave.
    fn through(&mut self, coming: Coming<'_>, columns: &mut Columns) {
        let slot = self.play.tally.slot();
        self.play.begun += coming.born.len() as u64;
        self.count_requests(coming, slot);
        let Play { tiers, tally, .. } = &mut self.play;
        let tier = &mut tiers[0];
        let room_for_all = tier.draw_for_all(coming.at, columns);
        let work_s = if room_for_all { sum(&columns.durations) } else { 0.0 };
        let one_slot = if room_for_all { tier.slot_of_all(coming.at, work_s) } else { None };
        if let Some(slot) = one_slot {
            // Where there is no way to go and no body, the answer is there when the service ends.
            let only = self.alike.filter(|who| self.half_trip <= 0.0 && !tally.has_body(who.0));
            let only = only.and_then(|(action, _)| tally.only_at(tier.id, action, slot));
            let answered = only.is_some();
            let sums = match only {
                Some(times) => tier.serve_and_count(coming.at, columns, times),
                None => tier.serve_and_count(coming.at, columns, tally.at_tier(tier.id)),
            };
            let sums = Sums { work_s, ..sums };
            tally.add(tier.id, tier.pools[0].place, slot, sums);
            if answered {
                self.play.left += coming.born.len() as u64;
                return;
            }
        } else {
            if room_for_all {
                let Columns { durations, starts, ends } = columns;
                tier.servers[0].serve_all(coming.at, durations, (starts, ends), |_, _| {});
            } else {
                tier.serve_one_by_one(coming.at, columns);
            }
            tier.count_one_by_one(coming.at, columns, tally);
        }
        self.answer(coming, &columns.ends, slot);
    }

    fn count_requests(&mut self, coming: Coming<'_>, slot: u16) {
        let play = &mut self.play;
        let mut count = |(action, region): Who, number: u32| {
            let site = play.line.chains[action as usize][0].site;
            play.tally.requests(action, region, slot, number);
            play.tally.calls(site, region, slot, number);
        };
        match self.alike {
            Some(who) => count(who, coming.born.len() as u32),
            None => {
                for &who in coming.who {
                    count(who, 1);
                }
            }
        }
    }

    /// The answers go back.
    fn answer(&mut self, coming: Coming<'_>, ends: &[f64], slot: u16) {
        let play = &mut self.play;
        play.left += coming.born.len() as u64;
        for (i, (&born, &end)) in coming.born.iter().zip(ends).enumerate() {
            let who = self.alike.unwrap_or_else(|| coming.who[i]);
            let first_byte = later(end, self.half_trip) - born;
            let took =
                (end < f64::INFINITY).then(|| (first_byte, first_byte + play.bodies_s[who.0 as usize]));
            play.tally.left((who.0, who.1, slot), born, took);
        }
    }
}

impl Tier {
    /// Draws the services of all, where there is one server and room for them; `false` where somebody may be turned away.
    fn draw_for_all(&mut self, at: &[f64], columns: &mut Columns) -> bool {
        for column in [&mut columns.durations, &mut columns.starts, &mut columns.ends] {
            column.resize(at.len(), 0.0);
        }
        let [server] = &self.servers[..] else { return false };
        let room = server.has_room(at.len(), self.station.queue_max);
        if room {
            self.station.services.fill(&mut columns.durations);
        }
        room
    }

    /// The slot in which all of these come, begin and go, where there is one that counts.
    fn slot_of_all(&mut self, at: &[f64], work_s: f64) -> Option<u16> {
        // Nobody goes later than if all were served one after the other, behind those who are there.
        let most_s = at[at.len() - 1].max(self.servers[0].busy_until()) + work_s;
        self.slots[0].of_all((at[0], most_s)).filter(|&slot| slot != UNCOUNTED)
    }

    /// Serves all, in the same slot, and counts their waits and stays; how long they are served is known already.
    fn serve_and_count(
        &mut self,
        at: &[f64],
        columns: &mut Columns,
        [waits, stays]: [&mut Times<FINE>; 2],
    ) -> Sums {
        let Columns { durations, starts, ends } = columns;
        let (mut waits, mut stays) = (waits.row(), stays.row());
        self.servers[0].serve_all(at, durations, (starts, ends), |wait_s, stay_s| {
            waits.record(wait_s);
            stays.record(stay_s);
        });
        stays.end();
        let n = at.len() as u64;
        Sums { arrivals: n, started: n, wait_s: waits.end(), ..Sums::default() }
    }

    /// Says when each of them is served, who may be turned away.
    fn serve_one_by_one(&mut self, at: &[f64], columns: &mut Columns) {
        let Columns { durations, starts, ends } = columns;
        let queue_max = self.station.queue_max;
        for (i, &now) in at.iter().enumerate() {
            let server = self.choose(0).0;
            let server = &mut self.servers[server];
            if let Some(begins) = server.admit(now, queue_max) {
                (starts[i], durations[i]) = (begins, self.station.services.next());
                server.serves_until(begins + durations[i]);
            } else {
                (starts[i], durations[i]) = (f64::INFINITY, 0.0);
            }
            ends[i] = starts[i] + durations[i];
        }
    }

    /// Counts arrivals, waits and stays, each in its slot.
    fn count_one_by_one(&mut self, at: &[f64], columns: &Columns, tally: &mut Tally) {
        let Columns { durations, starts, ends } = columns;
        let (id, place) = (self.id, self.pools[0].place);
        let [arrival_slots, start_slots, end_slots] = &mut self.slots;
        let (mut arrived, mut started) = (Running::new(id), Running::new(id));
        for (i, &at_s) in at.iter().enumerate() {
            let (start, end) = (starts[i], ends[i]);
            let sums = arrived.of(arrival_slots.at(at_s), place, tally);
            sums.arrivals += 1;
            if start == f64::INFINITY {
                sums.rejected += 1;
                continue;
            }
            let slot = start_slots.at(start);
            let sums = started.of(slot, place, tally);
            sums.started += 1;
            sums.wait_s += start - at_s;
            sums.work_s += durations[i];
            tally.waited(slot, id, start - at_s);
            tally.stayed(end_slots.at(end), id, end - at_s);
        }
        arrived.add_to(tally);
        started.add_to(tally);
    }
}
