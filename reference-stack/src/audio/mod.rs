//! The audio store: immutable songs in a few copies, each read held against the song's hash.
//!
//! Why the hash: a disk, a cable or a person changes bytes one day, and nobody notices what nobody checks. A copy
//! that is wrong or missing is passed over for the next, and put right from it.

mod volumes;

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;

use crate::api::Op;
use crate::digest::{self, Digest};
use crate::inner::{Answered, Fault, Replicas};
use crate::log::Log;
#[cfg(feature = "services")]
use crate::services::objects::Objects;
use crate::tiers;

pub use volumes::{Layout, Packing, Volumes, fill, song_bytes};

/// The store and its gates.
#[derive(Debug)]
pub struct AudioStore {
    replicas: Replicas,
    copies: Vec<Arc<Copy>>,
    /// Hashes of all songs, from the first.
    digests: RwLock<Vec<Digest>>,
    songs: Arc<AtomicU64>,
    /// Songs that are being put right.
    repairing: Arc<Mutex<HashSet<u64>>>,
    log: Log,
}

/// One copy of all songs.
#[derive(Debug)]
pub enum Copy {
    /// Files of this process.
    Volumes(Volumes),
    /// Objects of a server.
    #[cfg(feature = "services")]
    Objects(Objects),
}

/// Has the copy do it, whatever it is made of.
macro_rules! on {
    ($copy:expr, |$store:ident| $work:expr) => {
        match $copy {
            Copy::Volumes($store) => $work,
            #[cfg(feature = "services")]
            Copy::Objects($store) => $work,
        }
    };
}

impl Copy {
    /// The song as it is stored; whoever reads it checks it.
    async fn read(&self, song: u64) -> object_store::Result<Bytes> {
        on!(self, |store| store.read(song).await)
    }

    /// Stores a song. Blocks.
    pub fn write(&self, song: u64, bytes: &[u8]) -> std::io::Result<()> {
        on!(self, |store| store.write(song, bytes))
    }

    /// Changes bytes of a song on the disk, as a failing disk does.
    pub fn corrupt(&self, song: u64) -> std::io::Result<()> {
        on!(self, |store| store.corrupt(song))
    }

    /// Loses a song, and its neighbours with it.
    pub fn lose(&self, song: u64) -> std::io::Result<()> {
        on!(self, |store| store.lose(song))
    }

    /// All songs that are lost with this one.
    pub fn neighbours(&self, song: u64) -> Range<u64> {
        on!(self, |store| store.neighbours(song))
    }
}

impl AudioStore {
    /// Takes the copies that [`fill`] has filled, whose hashes it has given. `songs` counts the songs that
    /// there are for all tiers; it grows when one is published.
    pub fn new(
        replicas: Replicas,
        copies: Vec<Copy>,
        digests: Vec<Digest>,
        songs: Arc<AtomicU64>,
        log: Log,
    ) -> Self {
        let (copies, digests) = (copies.into_iter().map(Arc::new).collect(), RwLock::new(digests));
        Self { replicas, copies, digests, songs, repairing: Arc::default(), log }
    }

    /// The whole song.
    pub async fn get(&self, song: u64) -> Answered<Bytes> {
        let mut stay = self.replicas.enter(Op::Audio).await;
        let mut bad = Vec::new();
        let result = stay.pass(self.read(song, &mut bad)).await.and_then(std::convert::identity);
        if !bad.is_empty() {
            stay.metrics().bad_copies.fetch_add(bad.len() as u64, Ordering::Relaxed);
            self.log
                .note(tiers::AUDIO_STORE, format_args!("song {song}: copies {bad:?} are wrong or missing"));
            if let Ok(bytes) = &result {
                let repairs = self.repair(song, bytes.clone(), bad).await;
                stay.metrics().repairs.fetch_add(repairs, Ordering::Relaxed);
            }
        }
        let bytes = result.as_ref().map_or(0, Bytes::len);
        stay.leave(result, self.replicas.tier, bytes).await
    }

    /// The hash that a song's bytes must have.
    pub fn digest(&self, song: u64) -> Option<Digest> {
        let digests = self.digests.read().unwrap_or_else(PoisonError::into_inner);
        digests.get(usize::try_from(song.checked_sub(1)?).ok()?).copied()
    }

    pub fn copies(&self) -> &[Arc<Copy>] {
        &self.copies
    }

    /// Stores one more song, the next by number, in all copies. Blocks.
    ///
    /// # Errors
    /// If a file can't be written.
    pub fn publish(&self, song: u64, bytes: &[u8]) -> std::io::Result<()> {
        self.copies.iter().try_for_each(|copy| copy.write(song, bytes))?;
        let mut digests = self.digests.write().unwrap_or_else(PoisonError::into_inner);
        digests.resize(song as usize, [0; 32]);
        digests[song as usize - 1] = digest::of(bytes);
        Ok(())
    }

    /// Reads the first copy that is right; those before it are noted as bad.
    async fn read(&self, song: u64, bad: &mut Vec<usize>) -> Result<Bytes, Fault> {
        let Some(expected) = self.digest(song) else {
            let songs = self.songs.load(Ordering::Relaxed);
            return Err(Fault::Missing(format!("there is no song {song}; songs count from 1 to {songs}")));
        };
        let count = self.copies.len();
        for step in 0..count {
            // Each copy is the first for its share of the songs.
            let copy = (song as usize + step) % count;
            if let Ok(bytes) = self.copies[copy].read(song).await
                && digest::of_body(&bytes).await == expected
            {
                return Ok(bytes);
            }
            bad.push(copy);
        }
        let cause = format!("no copy of song {song} is sound ({count} were read)");
        Err(Fault::Broken { tier: self.replicas.tier, cause })
    }

    /// Writes the song anew where it was bad; gives how many copies were put right.
    async fn repair(&self, song: u64, bytes: Bytes, bad: Vec<usize>) -> u64 {
        if !self.repairing.lock().unwrap_or_else(PoisonError::into_inner).insert(song) {
            return 0;
        }
        let (copies, repairing) = (self.copies.clone(), Arc::clone(&self.repairing));
        let work = move || {
            let repaired = bad.iter().filter(|&&copy| copies[copy].write(song, &bytes).is_ok()).count();
            repairing.lock().unwrap_or_else(PoisonError::into_inner).remove(&song);
            repaired as u64
        };
        tokio::task::spawn_blocking(work).await.unwrap_or(0)
    }
}

/// Where the copies are kept.
pub fn directories(place: &Path, copies: usize) -> Vec<PathBuf> {
    (0..copies.max(1)).map(|copy| place.join(format!("audio-{copy}"))).collect()
}
