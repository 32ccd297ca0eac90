//! Copysets: when many nodes fail together, who loses data at all?
//!
//! Why it matters more than the mean time between losses: with copies spread at random, every combination of
//! nodes holds some piece, so losing three of 5,000 at a time loses something for sure. Few combinations mean
//! rare, larger losses (Cidon et al., "Copysets: reducing the frequency of data loss in cloud storage",
//! USENIX ATC 2013).

use crate::analytic::numeric::all_among;

/// Combinations of nodes that hold all copies of some piece, with copyset replication of the given scatter
/// width (nodes that share data with a node): `scatter / (copies - 1)` permutations of `nodes / copies` sets
/// (Cidon et al., section 4.1).
#[must_use]
pub fn copysets_of(nodes: u64, copies: u64, scatter_width: u64) -> f64 {
    if copies == 0 || nodes < copies {
        return 0.0;
    }
    let permutations = scatter_width.div_ceil((copies - 1).max(1)).max(1) as f64;
    (permutations * (nodes / copies) as f64).min(combinations(nodes, copies))
}

/// Expected number of different combinations that `pieces` placed at random use.
#[must_use]
pub fn random_copysets(nodes: u64, copies: u64, pieces: f64) -> f64 {
    let all = combinations(nodes, copies);
    if all < 1.0 {
        return 0.0;
    }
    if pieces <= 0.0 || all == f64::INFINITY {
        // So many combinations that no two pieces meet.
        return pieces.max(0.0);
    }
    let missed = if all == 1.0 { f64::NEG_INFINITY } else { (-1.0 / all).ln_1p() };
    -all * (pieces * missed).exp_m1()
}

/// Probability that some piece loses all its copies when `failed` of `nodes` are lost at once, with so many
/// `copysets`, taken as placed independently; with pieces placed at random, each piece is one
/// (Cidon et al., section 2.1).
#[must_use]
pub fn loss_probability(nodes: u64, copies: u64, failed: u64, copysets: f64) -> f64 {
    if copies > nodes || copysets <= 0.0 {
        return 0.0;
    }
    let one = all_among(nodes, failed, copies);
    if one >= 1.0 { 1.0 } else { -(copysets * (-one).ln_1p()).exp_m1() }
}

/// `n choose k` as a number; infinite beyond f64. Larger factors first would overflow no later.
fn combinations(n: u64, k: u64) -> f64 {
    if k > n {
        return 0.0;
    }
    let mut product = 1.0;
    for j in 0..k.min(n - k) {
        product *= (n - j) as f64 / (j + 1) as f64;
        if product == f64::INFINITY {
            break;
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_headline_numbers() {
        // 5,000 nodes, 3 copies, 10,000 pieces a node, a power loss takes 1 %: 99.99 % against 0.15 %.
        let pieces = 5_000.0 * 10_000.0 / 3.0;
        let random = loss_probability(5_000, 3, 50, pieces);
        assert!(random > 0.9999, "{random}");
        let copysets = copysets_of(5_000, 3, 2);
        assert_eq!(copysets, 1_666.0);
        let few = loss_probability(5_000, 3, 50, copysets);
        assert!((few - 0.0016).abs() < 0.0001, "{few}");
    }

    #[test]
    fn the_exact_case_of_few_nodes() {
        // 4 nodes, 2 copies on one pair, 2 nodes fail: one pair of six.
        assert!((loss_probability(4, 2, 2, 1.0) - 1.0 / 6.0).abs() < 1e-15);
        assert_eq!(loss_probability(4, 2, 4, 1.0), 1.0);
        assert_eq!(loss_probability(4, 2, 1, 6.0), 0.0);
        assert_eq!(loss_probability(4, 5, 4, 1.0), 0.0);
    }

    #[test]
    fn random_pieces_fill_the_combinations() {
        assert!((random_copysets(5, 2, 1.0) - 1.0).abs() < 1e-12);
        assert!((random_copysets(5, 2, 1e6) - 10.0).abs() < 1e-12);
        assert_eq!(random_copysets(3, 3, 7.0), 1.0);
        assert_eq!(random_copysets(2, 3, 7.0), 0.0);
        assert_eq!(copysets_of(9, 3, u64::MAX), 84.0);
    }
}
