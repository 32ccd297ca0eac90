//! What a month costs: prices of servers, storage, traffic and requests, by name, from a file.
//!
//! Why a file and not constants: prices change, differ by region and contract, and a cost is worth as much as
//! the prices below it. So each price keeps its place (`aws.yaml:14`), the list says its date and source, and
//! a file of one's own replaces what it names (`extends: aws`). The format is described in `PRICES.md`.
//!
//! All prices are in US dollars ([`CURRENCY`]), without taxes. A month has [`HOURS_PER_MONTH`] hours.

use chrono::NaiveDate;
use indexmap::IndexMap;

use crate::decode::suggestion;
use crate::diagnostic::{Origin, SourceFile};
use crate::units::{Bandwidth, Count, Fraction, Money, Size};

mod decode;
mod load;
mod named;
mod steps;

pub use load::{Bundled, LoadError, bundled_lists};
pub use steps::{Step, StepCost, Steps};

/// Hours of an average month: 365 x 24 / 12, the figure that cloud providers bill with.
pub const HOURS_PER_MONTH: f64 = 730.0;

/// The currency of all prices.
pub const CURRENCY: &str = "USD";

/// Checked prices.
#[derive(Debug, Clone)]
pub struct PriceList {
    /// The day on which these were the prices.
    pub as_of: NaiveDate,
    /// Where they come from, in words.
    pub source: String,
    /// The provider's region that they hold for.
    pub region: String,
    /// Bytes of the gigabyte that a price `per_gb` is for: 10^9, or 2^30 where the provider counts so.
    pub gigabyte: Size,
    /// What computes, by name of the instance.
    pub servers: IndexMap<String, ServerPrice>,
    /// What is billed by time and is no server: load balancers, gateways, addresses.
    pub services: IndexMap<String, ServicePrice>,
    /// What keeps bytes.
    pub storage: IndexMap<String, StoragePrice>,
    /// What moves bytes.
    pub traffic: IndexMap<String, TrafficPrice>,
    /// What is billed by the request.
    pub requests: IndexMap<String, RequestPrice>,
    /// The texts they were read from: the file first, then those that it extends.
    pub sources: Vec<SourceFile>,
}

/// The sections of a price list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Server,
    Service,
    Storage,
    Traffic,
    Requests,
}

/// A price by time, as the file states it.
#[derive(Debug, Clone, PartialEq)]
pub enum Charge {
    /// For an hour.
    Hourly(Money),
    /// For a month.
    Monthly(Money),
}

impl Charge {
    /// For a whole month, dollars.
    #[must_use]
    pub const fn monthly(&self) -> f64 {
        match self {
            Self::Hourly(price) => price.get() * HOURS_PER_MONTH,
            Self::Monthly(price) => price.get(),
        }
    }

    /// The price that the file states.
    #[must_use]
    pub const fn stated(&self) -> &Money {
        match self {
            Self::Hourly(price) | Self::Monthly(price) => price,
        }
    }
}

/// For how long a server is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commitment {
    /// By the hour, at the full price.
    OnDemand,
    OneYear,
    ThreeYears,
}

/// One server, of a size.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerPrice {
    /// Virtual CPUs, a whole number.
    pub vcpu: Count,
    pub memory: Size,
    /// What it sends for as long as wanted, not what it sends in bursts.
    pub network: Option<Bandwidth>,
    /// Local disks, all together.
    pub disk: Option<Size>,
    /// On demand.
    pub charge: Charge,
    /// Share of that price that is paid when it is taken for a year.
    pub one_year: Option<Fraction>,
    /// The same for three years.
    pub three_years: Option<Fraction>,
    pub origin: Origin,
}

impl ServerPrice {
    /// One server for a month on demand, dollars.
    #[must_use]
    pub const fn monthly(&self) -> f64 {
        self.charge.monthly()
    }

    /// One server for a month, dollars; `None` where the list has no price for the commitment.
    #[must_use]
    pub fn monthly_committed(&self, commitment: Commitment) -> Option<f64> {
        let share = match commitment {
            Commitment::OnDemand => 1.0,
            Commitment::OneYear => self.one_year.as_ref()?.get(),
            Commitment::ThreeYears => self.three_years.as_ref()?.get(),
        };
        Some(self.monthly() * share)
    }
}

/// Something billed by time that is no server.
#[derive(Debug, Clone, PartialEq)]
pub struct ServicePrice {
    pub charge: Charge,
    pub origin: Origin,
}

impl ServicePrice {
    /// One of it for a month, dollars.
    #[must_use]
    pub const fn monthly(&self) -> f64 {
        self.charge.monthly()
    }
}

/// What keeping bytes costs, and reading and writing them where that is billed too.
#[derive(Debug, Clone, PartialEq)]
pub struct StoragePrice {
    /// For keeping, by bytes kept all month.
    pub kept: Steps,
    /// For a gigabyte read back, beside the request.
    pub per_gb_read: Option<Money>,
    /// For one provisioned I/O operation per second, all month.
    pub per_iops_month: Option<Money>,
    /// I/O operations per second that each volume has for nothing.
    pub iops_included: f64,
    pub per_million_reads: Option<Money>,
    pub per_million_writes: Option<Money>,
    /// Physical copies that the price has in it: a dataset with 3 copies is kept once where this is 3.
    pub copies: u32,
    /// Bytes of the gigabyte that `per_gb_read` is for.
    gigabyte: f64,
    pub origin: Origin,
}

impl StoragePrice {
    /// For bytes kept all month, dollars. Steps count the total: add up what is kept under one name first.
    #[must_use]
    pub fn monthly(&self, bytes: f64) -> f64 {
        self.kept.monthly(bytes)
    }

    /// What of it falls into which step.
    #[must_use]
    pub fn explain(&self, bytes: f64) -> Vec<StepCost> {
        self.kept.explain(bytes)
    }

    /// For bytes read back in a month, dollars; nothing where reading is free.
    #[must_use]
    pub fn monthly_read(&self, bytes: f64) -> f64 {
        priced(self.per_gb_read.as_ref(), bytes / self.gigabyte)
    }

    /// For the operations of a month, dollars; nothing where they are free.
    #[must_use]
    pub fn monthly_operations(&self, reads: f64, writes: f64) -> f64 {
        priced(self.per_million_reads.as_ref(), reads / MILLION)
            + priced(self.per_million_writes.as_ref(), writes / MILLION)
    }

    /// For I/O operations per second provisioned all month on each of so many volumes, dollars.
    #[must_use]
    pub fn monthly_iops(&self, iops_of_each: f64, volumes: f64) -> f64 {
        let billed = (iops_of_each - self.iops_included).max(0.0);
        priced(self.per_iops_month.as_ref(), billed * volumes)
    }
}

/// What moving bytes costs.
#[derive(Debug, Clone, PartialEq)]
pub struct TrafficPrice {
    pub steps: Steps,
    pub origin: Origin,
}

impl TrafficPrice {
    /// For the bytes of a month, dollars. Steps count the total: add up the traffic of one name first.
    #[must_use]
    pub fn monthly(&self, bytes: f64) -> f64 {
        self.steps.monthly(bytes)
    }

    /// What of it falls into which step.
    #[must_use]
    pub fn explain(&self, bytes: f64) -> Vec<StepCost> {
        self.steps.explain(bytes)
    }
}

/// What requests cost.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestPrice {
    pub steps: Steps,
    pub origin: Origin,
}

impl RequestPrice {
    /// For the requests of a month, dollars. Steps count the total: add up the requests of one name first.
    #[must_use]
    pub fn monthly(&self, requests: f64) -> f64 {
        self.steps.monthly(requests)
    }

    /// What of it falls into which step.
    #[must_use]
    pub fn explain(&self, requests: f64) -> Vec<StepCost> {
        self.steps.explain(requests)
    }
}

const MILLION: f64 = 1e6;

/// Price times units, where there is a price; less than nothing costs nothing.
fn priced(price: Option<&Money>, units: f64) -> f64 {
    price.map_or(0.0, |price| price.get() * units.max(0.0))
}

impl PriceList {
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&ServerPrice> {
        self.servers.get(name)
    }

    #[must_use]
    pub fn service(&self, name: &str) -> Option<&ServicePrice> {
        self.services.get(name)
    }

    #[must_use]
    pub fn storage(&self, name: &str) -> Option<&StoragePrice> {
        self.storage.get(name)
    }

    #[must_use]
    pub fn traffic(&self, name: &str) -> Option<&TrafficPrice> {
        self.traffic.get(name)
    }

    #[must_use]
    pub fn requests(&self, name: &str) -> Option<&RequestPrice> {
        self.requests.get(name)
    }

    /// The names of a section, in the order of the file.
    #[must_use]
    pub fn names(&self, kind: Kind) -> Vec<&str> {
        fn keys<T>(section: &IndexMap<String, T>) -> Vec<&str> {
            section.keys().map(String::as_str).collect()
        }
        match kind {
            Kind::Server => keys(&self.servers),
            Kind::Service => keys(&self.services),
            Kind::Storage => keys(&self.storage),
            Kind::Traffic => keys(&self.traffic),
            Kind::Requests => keys(&self.requests),
        }
    }

    /// The name of a section most like a text, if any is like it.
    #[must_use]
    pub fn nearest(&self, kind: Kind, text: &str) -> Option<&str> {
        suggestion(text, &self.names(kind))
    }

    /// `aws.yaml:14`, for a price that a text states.
    #[must_use]
    pub fn place(&self, origin: Origin) -> Option<String> {
        let source = self.sources.get(usize::from(origin.file)).filter(|_| origin.line > 0)?;
        Some(format!("{}:{}", source.name, origin.line))
    }
}

#[cfg(test)]
mod tests;
