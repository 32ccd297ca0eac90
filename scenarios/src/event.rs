//! What happens to the system on its day: releases, crowds, failures.

use crate::diagnostic::Origin;
use crate::scenario::{ActionId, DatasetId, TierId};
use crate::units::{Count, Duration, Fraction, Number};

/// Something that happens at a time of day (UTC) and lasts.
#[derive(Debug, Clone)]
pub struct Event {
    pub name: String,
    /// Seconds after midnight UTC.
    pub at_s: f64,
    /// Until it is over; the rest of the day where not said.
    pub lasts: Option<Duration>,
    pub kind: EventKind,
    pub origin: Origin,
}

#[derive(Debug, Clone)]
pub enum EventKind {
    /// One new object gets this share of a dataset's requests.
    HotRelease { of: DatasetId, share: Fraction },
    /// Everybody (or one region, or one action) does more.
    FlashCrowd { factor: Number, region: Option<usize>, action: Option<ActionId> },
    /// A region is lost; its users go to the others.
    RegionDown { region: usize },
    /// Servers of a tier are lost.
    /// Until the balancer has noticed, it goes on to send them requests, which fail.
    ServersDown { tier: TierId, servers: Count, noticed_after: Duration },
    /// A cache starts empty.
    Flush { tier: TierId },
    /// Service takes this many times as long.
    Slow { tier: TierId, factor: Number },
    /// Links shrink to this share.
    Cut { tier: TierId, to: Fraction },
    /// A rolling restart: this share of the servers at a time.
    Deploy { tier: TierId, at_a_time: Fraction },
}
