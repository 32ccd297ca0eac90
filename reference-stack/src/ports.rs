//! The ports of all tiers, opened before anything behind them exists: then every tier knows where the others are.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::auth::ApiKey;
use crate::error::StackError;
use crate::plan::{Plan, TierPlan};
use crate::server::{self, Door};
use crate::stack::Endpoints;
use crate::tiers;

/// One per instance at the edge and of web, one for all instances of the others.
pub struct Ports {
    pub edge: Vec<Port>,
    pub shield: Port,
    pub gateway: Port,
    pub web: Vec<Port>,
    pub events: Port,
    pub metrics: Port,
    pub admin: Port,
}

pub struct Port {
    pub listener: TcpListener,
    pub address: SocketAddr,
    pub door: Door,
}

impl Port {
    fn open(tier: &str, port: Option<u16>) -> Result<Self, StackError> {
        let (listener, address) = server::listen(tier, port)?;
        Ok(Self { listener, address, door: Door::new() })
    }

    fn open_all(tier: &TierPlan) -> Result<Vec<Self>, StackError> {
        tier.instances.iter().map(|_| Self::open(tier.name, None)).collect()
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Ports {
    /// Opens them all; called on the runtime that will serve them.
    pub fn open(plan: &Plan, gateway: Option<u16>) -> Result<Self, StackError> {
        Ok(Self {
            // First: it is the one that may be taken.
            gateway: Port::open(tiers::GATEWAY, gateway)?,
            edge: Port::open_all(&plan.edge)?,
            shield: Port::open(tiers::SHIELD, None)?,
            web: Port::open_all(&plan.web)?,
            events: Port::open(tiers::EVENTS, None)?,
            metrics: Port::open("metrics", None)?,
            admin: Port::open("admin", None)?,
        })
    }

    pub fn endpoints(&self, key: &ApiKey, token: &ApiKey) -> Endpoints {
        let urls = |ports: &[Port]| ports.iter().map(Port::url).collect::<Vec<_>>();
        let tiers = [
            (tiers::EDGE, urls(&self.edge)),
            (tiers::SHIELD, vec![self.shield.url()]),
            (tiers::GATEWAY, vec![self.gateway.url()]),
            (tiers::WEB, urls(&self.web)),
            (tiers::EVENTS, vec![self.events.url()]),
        ];
        Endpoints {
            tiers: tiers.into_iter().map(|(tier, urls)| (tier.to_owned(), urls)).collect(),
            metrics: format!("{}/metrics", self.metrics.url()),
            api_key: key.text().to_owned(),
            admin: format!("{}/admin", self.admin.url()),
            admin_token: token.text().to_owned(),
        }
    }

    pub fn doors(&self) -> Vec<Door> {
        let single = [&self.shield, &self.gateway, &self.events, &self.metrics, &self.admin];
        let all = self.edge.iter().chain(&self.web).chain(single);
        all.map(|port| port.door.clone()).collect()
    }

    /// The port that a replica of a tier listens on, alone or with the others.
    pub fn door(&self, tier: &str, replica: usize) -> Option<Door> {
        let port = match tier {
            tiers::EDGE => self.edge.get(replica),
            tiers::WEB => self.web.get(replica),
            tiers::SHIELD => Some(&self.shield),
            tiers::GATEWAY => Some(&self.gateway),
            tiers::EVENTS => Some(&self.events),
            _ => None,
        };
        port.map(|port| port.door.clone())
    }
}
