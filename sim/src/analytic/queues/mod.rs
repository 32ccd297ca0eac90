//! Queueing formulas. Rates in 1/s, times in seconds, load in erlang; `servers` are parallel servers of one
//! queue, first come, first served unless said.
//!
//! All functions are total: a saturated queue waits forever (`f64::INFINITY`) and everybody in it waits
//! (probability 1); a load or time below 0 counts as 0. Only NaN gives NaN, and numbers whose products no f64
//! holds.

mod erlang;
mod gigc;
mod mdc;
mod mg1;
mod mmc;
mod priority;
mod shared_link;
mod sizing;

pub use erlang::{erlang_b, erlang_c};
pub use gigc::{GiGc, allen_cunneen_wait};
pub use mdc::{Mdc, mdc_wait};
pub use mg1::{Service, mg1_batch_wait, mg1_ps_response, mg1_ps_sojourn, mg1_wait, mg1_wait_second_moment};
pub use mmc::{
    Mmck, mmc_sojourn, mmc_sojourn_quantile, mmc_sojourn_tail, mmc_wait, mmc_wait_quantile, mmc_wait_tail,
    mmck, mmck_blocking,
};
pub use priority::{
    Class, mg1_nonpreemptive_waits, mg1_preemptive_waits, mmc_nonpreemptive_waits, mmc_preemptive_waits,
};
pub use shared_link::SharedLink;
pub use sizing::{servers_for_loss, servers_for_mean_wait, servers_for_wait, servers_for_wait_quantile};
