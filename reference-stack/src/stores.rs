//! What the tiers keep things in, by profile: made, filled, and ready to be used.
//!
//! Why one place: tiers know *that* there is a song database, a bus or an object store; only here is it known which.

use std::path::Path;

use tokio::runtime::Runtime;

use crate::audio::{self, Copy, Layout, Packing, Volumes};
use crate::bus::EventLog;
use crate::catalogue_db::CatalogueDb;
use crate::database;
use crate::digest::Digest;
use crate::error::StackError;
use crate::log::Log;
use crate::plan::Plan;
use crate::ports::Ports;
#[cfg(feature = "services")]
use crate::services::{NginxParts, Services};
use crate::stack::{Profile, StackOptions};
use crate::through::Keeper;
use crate::users::{self, Users};

/// What is made before any tier starts.
pub struct Made {
    pub copies: Vec<Copy>,
    /// Hashes of all songs.
    pub digests: Vec<Digest>,
    pub songs: CatalogueDb,
    pub users: Users,
    /// None where the scenario gives the tier no cache.
    pub answers: Option<Keeper>,
    pub plays: EventLog,
    #[cfg(feature = "services")]
    pub nginx: NginxParts,
}

/// The servers of a stack, where it has any.
#[derive(Default)]
pub struct Servers {
    #[cfg(feature = "services")]
    pub services: Option<Services>,
}

impl Servers {
    /// Ends them all; returns once they are gone.
    #[cfg_attr(not(feature = "services"), expect(clippy::unused_self, reason = "there are no servers"))]
    pub fn end(&self, runtime: &Runtime) {
        #[cfg(feature = "services")]
        if let Some(services) = &self.services {
            runtime.block_on(services.end());
        }
        #[cfg(not(feature = "services"))]
        let _ = runtime;
    }
}

/// A stack that is being made.
#[cfg_attr(not(feature = "services"), expect(dead_code, reason = "only servers need all of it"))]
pub struct Making<'a> {
    pub runtime: &'a Runtime,
    pub plan: &'a Plan,
    pub options: &'a StackOptions,
    /// What goes with the stack.
    pub directory: &'a Path,
    pub ports: &'a Ports,
    pub log: &'a Log,
}

/// Makes everything, side by side.
///
/// # Errors
/// What stands in the way, and the way out.
pub fn make(making: &Making<'_>) -> Result<(Made, Servers), StackError> {
    match making.options.profile {
        Profile::Embedded => Ok((embedded(making)?, Servers::default())),
        #[cfg(feature = "services")]
        Profile::Services => services(making),
        #[cfg(not(feature = "services"))]
        Profile::Services => Err(StackError::NoServices),
    }
}

fn embedded(making: &Making<'_>) -> Result<Made, StackError> {
    let Making { plan, options, directory, .. } = *making;
    let (copies, file) = (audio::directories(directory, plan.audio_store.copies), directory.join("songs.db"));
    let slots = plan.metadata_db.instances.iter().map(|instance| instance.slots).sum();
    let layout = layout(plan);
    let digests = std::thread::scope(|scope| {
        let indexing = scope.spawn(|| database::build(&file, options.seed, plan.songs));
        let digests = audio::fill(&copies, options.seed, layout, Packing::Volumes)?;
        indexing.join().unwrap_or(Err(StackError::Gone))?;
        Ok::<_, StackError>(digests)
    })?;
    let open = |directory: &std::path::PathBuf| Volumes::open(directory, layout).map(Copy::Volumes);
    let kept = options.data.as_deref().unwrap_or(directory);
    Ok(Made {
        copies: copies.iter().map(open).collect::<Result<_, _>>()?,
        digests,
        songs: CatalogueDb::Sqlite(database::Sqlite::open(&file, options.seed, slots)?),
        users: Users::Sqlite(users::Sqlite::open(&kept.join("users.db"))?),
        answers: plan.metadata_cache.cache.map(Keeper::memory),
        plays: EventLog::segments(&kept.join("bus").join("log"))?,
        #[cfg(feature = "services")]
        nginx: NginxParts::default(),
    })
}

#[cfg(feature = "services")]
fn services(making: &Making<'_>) -> Result<(Made, Servers), StackError> {
    let Making { runtime, plan, options, directory, ports, log } = *making;
    let store = directory.join("objects");
    let copies = audio::directories(&store, plan.audio_store.copies);
    let layout = layout(plan);
    std::fs::create_dir_all(&store).map_err(|cause| StackError::Prepare {
        what: "the object store",
        place: store.clone(),
        cause,
    })?;
    let (digests, started) = std::thread::scope(|scope| {
        let filling = scope.spawn(|| audio::fill(&copies, options.seed, layout, Packing::Objects));
        let started = runtime.block_on(Services::start(plan, options, directory, &store, ports, log));
        (filling.join().unwrap_or(Err(StackError::Gone)), started)
    });
    let (services, backends) = started?;
    let servers = Servers { services: Some(services) };
    let _entered = runtime.enter();
    let bucket = |copy: &std::path::PathBuf| backends.objects.bucket(copy, layout).map(Copy::Objects);
    let made = (|| {
        let digests = digests?;
        backends.objects.hand_over().map_err(|cause| StackError::Prepare {
            what: "the object store",
            place: store.clone(),
            cause,
        })?;
        Ok(Made {
            copies: copies.iter().map(bucket).collect::<Result<_, StackError>>()?,
            digests,
            songs: CatalogueDb::Postgres(backends.songs),
            users: Users::Postgres(backends.playlists),
            answers: backends.answers.map(Keeper::Redis),
            plays: EventLog::JetStream(backends.plays),
            nginx: backends.nginx,
        })
    })();
    match made {
        Ok(made) => Ok((made, servers)),
        Err(error) => {
            servers.end(runtime);
            Err(error)
        }
    }
}

const fn layout(plan: &Plan) -> Layout {
    Layout { songs: plan.songs, song_bytes: plan.song_bytes }
}
