//! Open networks of exponential servers: rates by the traffic equations, then every station on its own.
//!
//! Why that is allowed: in a Jackson network the stations' states are independent, whatever the routes back
//! (Jackson, "Networks of waiting lines", Operations Research 5, 1957).

use crate::analytic::queues::mmc_sojourn;

/// A station of an open network.
#[derive(Debug, Clone, PartialEq)]
pub struct JacksonStation {
    /// Arrivals from outside, 1/s.
    pub external_rate: f64,
    pub servers: u64,
    pub service_mean: f64,
    /// Probability to go on to each station after service; the rest leaves.
    pub next: Vec<f64>,
}

/// A station's share of a solved open network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StationSolution {
    /// All arrivals, 1/s.
    pub rate: f64,
    pub utilisation: f64,
    /// Mean time per visit, s; infinite when saturated.
    pub sojourn: f64,
    /// Mean number present.
    pub customers: f64,
}

/// Solves the network. `None` where customers can never leave some loop, or the routes do not fit the stations.
#[must_use]
pub fn jackson(stations: &[JacksonStation]) -> Option<Vec<StationSolution>> {
    let size = stations.len();
    if stations.iter().any(|s| s.next.len() != size) {
        return None;
    }
    // rate(j) = external(j) + sum over i of rate(i) next(i, j).
    let mut rows: Vec<Vec<f64>> = (0..size)
        .map(|j| {
            let mut row: Vec<f64> =
                (0..size).map(|i| f64::from(u8::from(i == j)) - stations[i].next[j]).collect();
            row.push(stations[j].external_rate);
            row
        })
        .collect();
    let rates = solve(&mut rows)?;
    let at = |(station, rate): (&JacksonStation, f64)| {
        let sojourn = mmc_sojourn(station.servers, rate, station.service_mean);
        StationSolution {
            rate,
            utilisation: if station.servers == 0 {
                f64::INFINITY
            } else {
                rate * station.service_mean / station.servers as f64
            },
            sojourn,
            customers: if rate > 0.0 { rate * sojourn } else { 0.0 },
        }
    };
    Some(stations.iter().zip(rates).map(at).collect())
}

/// Gaussian elimination with pivoting on rows that end with the right-hand side. `None` if singular, or if a
/// solution is negative (a loop that feeds itself).
fn solve(rows: &mut [Vec<f64>]) -> Option<Vec<f64>> {
    let size = rows.len();
    for column in 0..size {
        let pivot =
            (column..size).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))?;
        rows.swap(column, pivot);
        if rows[column][column].abs() < 1e-12 {
            return None;
        }
        let (done, below) = rows.split_at_mut(column + 1);
        let pivot = &done[column];
        for row in below {
            let factor = row[column] / pivot[column];
            for (value, above) in row.iter_mut().zip(pivot).skip(column) {
                *value -= factor * above;
            }
        }
    }
    let mut solution = vec![0.0; size];
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size).map(|k| rows[row][k] * solution[k]).sum();
        solution[row] = (rows[row][size] - known) / rows[row][row];
    }
    solution
        .iter()
        .all(|x| *x >= -1e-9 && x.is_finite())
        .then(|| solution.iter().map(|x| x.max(0.0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn station(external_rate: f64, service_mean: f64, next: &[f64]) -> JacksonStation {
        JacksonStation { external_rate, servers: 1, service_mean, next: next.to_vec() }
    }

    #[test]
    fn a_retry_loop_multiplies_the_rate() {
        // One in five goes round again: rate 1 / 0.8.
        let solved = jackson(&[station(1.0, 0.4, &[0.2])]).unwrap();
        assert!((solved[0].rate - 1.25).abs() < 1e-12 && (solved[0].utilisation - 0.5).abs() < 1e-12);
        assert!((solved[0].sojourn - 0.8).abs() < 1e-12);
    }

    #[test]
    fn a_web_server_with_two_back_ends() {
        // From the web server 0.3 to a cache, 0.2 to a database, the rest out; both come back.
        let stations = [
            station(10.0, 0.02, &[0.0, 0.3, 0.2]),
            station(0.0, 0.01, &[1.0, 0.0, 0.0]),
            station(0.0, 0.05, &[1.0, 0.0, 0.0]),
        ];
        let rates: Vec<f64> = jackson(&stations).unwrap().iter().map(|s| s.rate).collect();
        for (got, want) in rates.iter().zip([20.0, 6.0, 4.0]) {
            assert!((got - want).abs() < 1e-9, "{rates:?}");
        }
    }

    #[test]
    fn what_never_leaves_has_no_answer() {
        assert_eq!(jackson(&[station(1.0, 0.1, &[1.0])]), None);
        assert_eq!(jackson(&[station(1.0, 0.1, &[])]), None);
        assert_eq!(jackson(&[]), Some(vec![]));
        let saturated = jackson(&[station(20.0, 0.1, &[0.0])]).unwrap();
        assert_eq!(saturated[0].sojourn, f64::INFINITY);
    }
}
