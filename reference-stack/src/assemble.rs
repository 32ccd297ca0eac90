//! Putting the tiers together, the inner ones first.
//!
//! Why apart from starting and stopping: here is all that says which tier calls which.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use crate::audio::AudioStore;
use crate::breaks::{Breaker, Part, PartCache};
use crate::bus::Bus;
use crate::cdn::{Below, Cdn};
use crate::error::StackError;
use crate::events::Events;
use crate::front::Shared;
use crate::gate::Gate;
use crate::gateway::Gateway;
use crate::inner::Replicas;
use crate::metadata::Metadata;
use crate::metrics::TierMetrics;
use crate::peer::Peer;
use crate::plan::{Plan, TierPlan};
use crate::ports::{Port, Ports};
#[cfg(feature = "services")]
use crate::services::nginx::NginxCache;
use crate::stack::StackOptions;
use crate::stores::{Made, Servers};
use crate::tiers;
use crate::upstream::Upstream;
use crate::web::{Behind, Web};

/// Everything that has a port.
pub struct Tiers {
    pub edges: Vec<Arc<Cdn>>,
    pub shield: Arc<Cdn>,
    pub gateway: Arc<Gateway>,
    pub webs: Vec<Arc<Web>>,
    pub events: Arc<Events>,
    pub metrics: Arc<[Arc<TierMetrics>]>,
}

/// Puts the tiers together, the inner ones first.
pub fn assemble(
    plan: &Plan,
    options: &StackOptions,
    kept: &Path,
    ports: &Ports,
    shared: &Shared,
    mut made: Made,
    servers: &Servers,
) -> Result<(Tiers, Breaker), StackError> {
    let mut gates = Gates { shared, ports, parts: Vec::new() };
    let songs = Arc::new(AtomicU64::new(plan.songs));
    let below = |tier: &TierPlan, port: &Port| Below {
        upstream: Upstream::new(tier.name, shared.rtt(tier), shared.timer.clone()),
        at: Peer::at(port.address),
    };
    let through_shield = || vec![below(&plan.shield, &ports.shield), below(&plan.gateway, &ports.gateway)];
    let mut caches = Kept::of(&mut made);
    let edge = |gate| caches.cdn(shared, &plan.edge, vec![gate], through_shield());
    let edges: Vec<Arc<Cdn>> = gates.of(&plan.edge).into_iter().map(edge).collect();
    let to_gateway = vec![below(&plan.gateway, &ports.gateway)];
    let shield = caches.cdn(shared, &plan.shield, gates.of(&plan.shield), to_gateway);
    let gateway_gates = gates.of(&plan.gateway);
    let web_gates = gates.of(&plan.web);

    let mut replicas = |tier: &TierPlan| Replicas::new(shared.clone(), tier, gates.of(tier));
    let (cache, db) = (replicas(&plan.metadata_cache), replicas(&plan.metadata_db));
    let metadata = Metadata::new(cache, made.answers, db, made.songs, plan.search_bytes);
    let store = replicas(&plan.audio_store);
    let audio = AudioStore::new(store, made.copies, made.digests, Arc::clone(&songs), shared.log.clone());
    let behind = Arc::new(Behind { audio, metadata, users: made.users });
    let web = |gate| Web::new(shared.clone(), &plan.web, gate, Arc::clone(&behind));
    let webs: Vec<Arc<Web>> = web_gates.into_iter().map(web).collect();

    let events_gates = gates.of(&plan.events);
    let bus = Arc::new(Bus::open(&kept.join("bus"), made.plays, Arc::clone(&events_gates[0].metrics))?);
    let counted = (Arc::clone(&bus), Arc::clone(&songs));
    let events = Events::new(shared.clone(), &plan.events, events_gates, counted.0, counted.1);
    let web_addresses: Vec<SocketAddr> = ports.web.iter().map(|port| port.address).collect();
    let gateway = Gateway::start(
        shared.clone(),
        plan,
        gateway_gates,
        &web_addresses,
        ports.events.address,
        options.rate_limit_per_s,
        #[cfg(feature = "services")]
        made.nginx.gateway,
    );

    let mut parts = gates.parts;
    let metrics = parts.iter().map(|part| Arc::clone(&part.gate.metrics)).collect();
    #[cfg(not(feature = "services"))]
    let _ = servers;
    for part in &mut parts {
        part.cache = wipeable(part.tier, part.replica, &edges, &shield, &webs, &behind.metadata);
        #[cfg(feature = "services")]
        {
            part.server = servers.services.as_ref().and_then(|all| all.of(part.tier, part.replica));
        }
    }
    let breaker = Breaker {
        parts,
        edges: edges.clone(),
        behind,
        bus,
        songs,
        songs_at_start: plan.songs,
        song_bytes: plan.song_bytes,
        seed: options.seed,
        log: shared.log.clone(),
        doing: Mutex::default(),
        active: Mutex::default(),
        next_id: AtomicU64::new(1),
    };
    Ok((Tiers { edges, shield, gateway, webs, events, metrics }, breaker))
}

/// Who keeps the objects of edge and shield: servers of their own, the edge's in order of sites, or the tiers
/// themselves.
struct Kept {
    #[cfg(feature = "services")]
    edges: std::vec::IntoIter<Option<NginxCache>>,
    #[cfg(feature = "services")]
    shield: Option<NginxCache>,
}

impl Kept {
    #[cfg(feature = "services")]
    fn of(made: &mut Made) -> Self {
        Self { edges: std::mem::take(&mut made.nginx.edges).into_iter(), shield: made.nginx.shield.take() }
    }

    #[cfg(not(feature = "services"))]
    const fn of(_: &mut Made) -> Self {
        Self {}
    }

    #[cfg_attr(not(feature = "services"), expect(clippy::unused_self, reason = "there are no servers"))]
    fn cdn(
        &mut self,
        shared: &Shared,
        plan: &TierPlan,
        gates: Vec<Arc<Gate>>,
        below: Vec<Below>,
    ) -> Arc<Cdn> {
        #[cfg(feature = "services")]
        {
            let server =
                if plan.name == tiers::EDGE { self.edges.next().flatten() } else { self.shield.take() };
            if let Some(server) = server {
                return Cdn::with_nginx(shared.clone(), plan, gates, below, server);
            }
        }
        Cdn::new(shared.clone(), plan, gates, below)
    }
}

/// The cache of a replica, to be wiped.
fn wipeable(
    tier: &str,
    replica: usize,
    edges: &[Arc<Cdn>],
    shield: &Arc<Cdn>,
    webs: &[Arc<Web>],
    metadata: &Arc<Metadata>,
) -> Option<PartCache> {
    let (shared, wipe): (bool, Box<dyn Fn() + Send + Sync>) = match tier {
        tiers::EDGE => {
            let edge = Arc::clone(edges.get(replica)?);
            (false, Box::new(move || edge.clear()))
        }
        tiers::SHIELD => {
            let shield = Arc::clone(shield);
            (true, Box::new(move || shield.clear()))
        }
        tiers::WEB => {
            let web = Arc::clone(webs.get(replica)?);
            (false, Box::new(move || web.clear()))
        }
        tiers::METADATA_CACHE => {
            let metadata = Arc::clone(metadata);
            (true, Box::new(move || metadata.clear_cache()))
        }
        _ => return None,
    };
    Some(PartCache { shared, wipe })
}

/// Makes gates, and keeps each as a part that can be looked at and broken.
struct Gates<'a> {
    shared: &'a Shared,
    ports: &'a Ports,
    parts: Vec<Part>,
}

impl Gates<'_> {
    fn of(&mut self, tier: &TierPlan) -> Vec<Arc<Gate>> {
        let service = tier.service.as_ref().filter(|_| self.shared.emulate);
        let link = tier.link_bits_per_s.filter(|_| self.shared.emulate);
        let (seed, timer) = (self.shared.seed, &self.shared.timer);
        let mut gates = Vec::with_capacity(tier.instances.len());
        for (replica, &instance) in tier.instances.iter().enumerate() {
            let metrics = TierMetrics::new(tier.name, replica, instance.slots, tier.cache.is_some());
            let gate = Arc::new(Gate::new(instance, service, link, seed, timer.clone(), metrics));
            let door = self.ports.door(tier.name, replica);
            self.parts.push(Part {
                tier: tier.name,
                replica,
                gate: Arc::clone(&gate),
                door,
                cache: None,
                #[cfg(feature = "services")]
                server: None,
            });
            gates.push(gate);
        }
        gates
    }
}
