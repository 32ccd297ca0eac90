//! Names of the tiers that the stack plays; a scenario must use the same.

pub const EDGE: &str = "edge";
pub const SHIELD: &str = "shield";
pub const GATEWAY: &str = "gateway";
pub const WEB: &str = "web";
pub const METADATA_CACHE: &str = "metadata-cache";
pub const METADATA_DB: &str = "metadata-db";
pub const AUDIO_STORE: &str = "audio-store";
pub const EVENTS: &str = "events";

/// All of them, from the user inwards.
pub const ALL: [&str; 8] = [EDGE, SHIELD, GATEWAY, WEB, METADATA_CACHE, METADATA_DB, AUDIO_STORE, EVENTS];

/// Whether the tier looks things up in a cache.
#[must_use]
pub fn is_cache(tier: &str) -> bool {
    [EDGE, SHIELD, WEB, METADATA_CACHE].contains(&tier)
}
