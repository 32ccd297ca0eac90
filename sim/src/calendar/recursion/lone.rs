//! One pool of servers and nothing else, in columns.
//!
//! Why beside the batches of customers: the most common question of all is one station (M/M/c and its kin), and then nobody
//! goes anywhere. Arrivals, services, beginnings and latencies are columns of plain numbers, a short loop makes each from
//! the ones before, and what is counted is counted a column at a time. What the loops cannot do at once (somebody is turned
//! away, a slot of the results ends within a column, several actions) is done customer by customer, with the same counts.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Arrivals, BATCH, Play, Running, Tally, Tier, later};
use crate::calendar::tally::Sums;
use crate::calendar::times::sum;

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
    /// Room for what is counted.
    times: Vec<f64>,
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

impl Columns {
    /// Differences of two columns.
    fn between<'a>(times: &'a mut Vec<f64>, from: &[f64], to: &[f64]) -> &'a [f64] {
        times.clear();
        times.extend(to.iter().zip(from).map(|(to, from)| to - from));
        times
    }
}

/// Least and greatest of a column.
fn bounds(values: &[f64]) -> (f64, f64) {
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    values.iter().fold(start, |(least, most), &value| {
        (if value < least { value } else { least }, if value > most { value } else { most })
    })
}

impl Lone<'_> {
    /// Customers are served and leave.
    fn through(&mut self, coming: Coming<'_>, columns: &mut Columns) {
        let slot = self.play.tally.slot();
        self.play.begun += coming.born.len() as u64;
        self.count_requests(coming, slot);
        let tier = &mut self.play.tiers[0];
        let all_served = tier.serve(coming.at, columns);
        tier.count_columns(coming.at, columns, all_served, &mut self.play.tally);
        self.answer(coming, columns, all_served, slot);
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
    fn answer(&mut self, coming: Coming<'_>, columns: &mut Columns, all_served: bool, slot: u16) {
        let play = &mut self.play;
        let born = coming.born;
        play.left += born.len() as u64;
        if let (Some((action, _)), true) = (self.alike, all_served) {
            let Columns { ends, times, .. } = columns;
            let body_s = play.bodies_s[action as usize];
            times.clear();
            if self.half_trip > 0.0 {
                times.extend(ends.iter().zip(born).map(|(end, born)| end + self.half_trip - born));
            } else {
                times.extend(ends.iter().zip(born).map(|(end, born)| end - born));
            }
            play.tally.left_all((action, slot), born, (times, body_s));
            return;
        }
        for (i, (&born, &end)) in born.iter().zip(&columns.ends).enumerate() {
            let who = self.alike.unwrap_or_else(|| coming.who[i]);
            let first_byte = later(end, self.half_trip) - born;
            let took =
                (end < f64::INFINITY).then(|| (first_byte, first_byte + play.bodies_s[who.0 as usize]));
            play.tally.left((who.0, who.1, slot), born, took);
        }
    }
}

impl Tier {
    /// Says when everybody is served; `true` where nobody is turned away.
    fn serve(&mut self, at: &[f64], columns: &mut Columns) -> bool {
        let Columns { durations, starts, ends, .. } = columns;
        durations.resize(at.len(), 0.0);
        starts.resize(at.len(), 0.0);
        let queue_max = self.station.queue_max;
        if let [server] = &mut self.servers[..]
            && server.has_room(at.len(), queue_max)
        {
            self.station.services.fill(durations);
            server.serve_all(at, durations, starts);
            ends.clear();
            ends.extend(starts.iter().zip(&*durations).map(|(start, duration)| start + duration));
            return true;
        }
        ends.clear();
        let mut all_served = true;
        for ((&now, duration), start) in at.iter().zip(durations).zip(starts) {
            let server = self.choose(0).0;
            let server = &mut self.servers[server];
            if let Some(begins) = server.admit(now, queue_max) {
                (*start, *duration) = (begins, self.station.services.next());
                server.serves_until(begins + *duration);
            } else {
                (*start, *duration) = (f64::INFINITY, 0.0);
                all_served = false;
            }
            ends.push(*start + *duration);
        }
        all_served
    }

    /// Counts arrivals, waits and stays, by the column where its slot is the same for all.
    fn count_columns(&mut self, at: &[f64], columns: &mut Columns, all_served: bool, tally: &mut Tally) {
        let Columns { durations, starts, ends, times, .. } = columns;
        let n = at.len() as u64;
        let id = self.id;
        let place = self.pools[0].place;
        let [arrival_slots, start_slots, end_slots] = &mut self.slots;
        let one = |slot: Option<u16>| slot.filter(|_| all_served);
        if let Some(slot) = one(arrival_slots.of_all((at[0], at[at.len() - 1]))) {
            tally.add(id, place, slot, Sums { arrivals: n, ..Sums::default() });
        } else {
            let mut sums = Running::new(id);
            for (&at_s, &start) in at.iter().zip(&*starts) {
                let sums = sums.of(arrival_slots.at(at_s), place, tally);
                sums.arrivals += 1;
                sums.rejected += u64::from(start == f64::INFINITY);
            }
            sums.add_to(tally);
        }
        if let Some(slot) = one(start_slots.of_all(bounds(starts))) {
            let wait_s = tally.waited_all(slot, id, Columns::between(times, at, starts));
            let sums = Sums { started: n, wait_s, work_s: sum(durations), ..Sums::default() };
            tally.add(id, place, slot, sums);
        } else {
            let mut sums = Running::new(id);
            let served = at.iter().zip(&*starts).zip(&*durations);
            for ((at_s, &start), duration) in served.filter(|((_, start), _)| **start < f64::INFINITY) {
                let slot = start_slots.at(start);
                let sums = sums.of(slot, place, tally);
                sums.started += 1;
                sums.wait_s += start - at_s;
                sums.work_s += duration;
                tally.waited(slot, id, start - at_s);
            }
            sums.add_to(tally);
        }
        if let Some(slot) = one(end_slots.of_all(bounds(ends))) {
            tally.stayed_all(slot, id, Columns::between(times, at, ends));
        } else {
            for (at_s, &end) in at.iter().zip(&*ends).filter(|(_, end)| **end < f64::INFINITY) {
                tally.stayed(end_slots.at(end), id, end - at_s);
            }
        }
    }
}
