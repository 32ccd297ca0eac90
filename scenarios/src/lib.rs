//! The input vocabulary: what a scenario file says, checked, and the demand it implies.
//!
//! Everything here is about the *question*: users, actions, stored data, tiers, targets. The engines
//! (`plimsoll-sim`, `plimsoll-loadgen`) and the system under test (`plimsoll-stack`) read it and never
//! write it, and all of them draw requests from [`trace`], so that what is simulated and what is sent
//! over a socket is one and the same list of requests.
//!
//! A [`Scenario`] exists only if it is valid: [`load`] and [`Scenario::from_yaml`] return either one or
//! every problem of the file at once ([`Problems`]).
//!
//! This crate depends on no other crate of the workspace.

pub mod amount;
pub mod arrivals;
mod auto;
mod calls;
pub mod catalogue;
mod client;
mod decode;
mod diagnostic;
pub mod distance;
pub mod distribution;
mod emulated;
mod event;
mod fields;
mod kinds;
mod library;
mod node;
mod overlay;
pub mod popularity;
pub mod prices;
pub mod quantities;
pub mod rng;
mod scale;
mod scenario;
mod schema;
mod size_classes;
pub mod slo;
mod syntax;
#[cfg(test)]
mod tests;
mod tier;
pub mod trace;
pub mod units;
mod validate;
pub mod visits;
mod worlds;
mod write;
mod ziggurat;

pub use auto::{AUTO, Free, FreeSites, Knob, Open, sites_path};
pub use calls::{Call, Calls, Edge, WaitFor};
pub use client::{Breaker, Client, Hedge, Jitter, Retries};
pub use decode::suggestion as suggest;
pub use diagnostic::{Origin, Problem, Problems, SourceFile};
pub use event::{Event, EventKind};
pub use kinds::ServerKind;
pub use library::{Bundled, LoadError, Resolved, bundled, load, load_with, nearest, resolve, starter};
pub use scale::NoLoad;
pub use scenario::{
    Action, ActionId, Actor, ActorId, ActorNumber, Branch, Claim, Connection, Dataset, DatasetId, Demand,
    Expect, Growth, Heartbeat, Http, Load, LoadScale, LoadSites, Peak, Population, Region, Scenario,
    SessionPlan, SessionStep, Sessions, TierId,
};
pub use schema::json_schema;
pub use size_classes::SizeClasses;
pub use tier::{
    Admission, Autoscale, Balance, Batch, Cache, Discipline, External, OnWrite, Policy, Queue, Replication,
    Scheme, Scope, ShardBy, Sharding, Station, Store, Tier, TierPrice,
};
pub use worlds::{AnyQuantity, Uncertain};
