//! The audio store: immutable songs in volumes of many songs each, behind `object_store`.
//!
//! Why volumes: a file per song costs a directory entry and an open of its own, most of the time that a
//! start takes. Stores of small immutable objects pack them and read a range (Beaver et al., "Finding a
//! needle in Haystack", OSDI 2010), and so does this one.

use std::io::Write as _;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use object_store::ObjectStore as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use plimsoll_scenarios::rng::Stream;

use crate::error::StackError;
use crate::inner::{Answered, Fault, Replicas};

/// Bytes of a volume, about; one song where songs are larger.
const VOLUME_BYTES: usize = 16 << 20;

/// The store and its gates.
#[derive(Debug)]
pub struct AudioStore {
    replicas: Replicas,
    files: LocalFileSystem,
    songs: u64,
    song_bytes: usize,
}

impl AudioStore {
    /// Opens the store that [`fill`] has filled.
    ///
    /// # Errors
    /// If the directory can't be opened.
    pub fn open(
        replicas: Replicas,
        directory: &Path,
        songs: u64,
        song_bytes: usize,
    ) -> Result<Self, StackError> {
        Ok(Self { replicas, files: LocalFileSystem::new_with_prefix(directory)?, songs, song_bytes })
    }

    /// The whole song.
    pub async fn get(&self, song: u64) -> Answered<Bytes> {
        let mut stay = self.replicas.enter().await;
        let result = stay.pass(self.read(song)).await.and_then(std::convert::identity);
        let bytes = result.as_ref().map_or(0, Bytes::len);
        stay.leave(result, self.replicas.tier, bytes).await
    }

    async fn read(&self, song: u64) -> Result<Bytes, Fault> {
        if song == 0 || song > self.songs {
            return Err(Fault::Missing(format!(
                "there is no song {song}; songs count from 1 to {}",
                self.songs
            )));
        }
        let (volume, place) = place(song, self.song_bytes);
        let broken = |cause: String| Fault::Broken { tier: self.replicas.tier, cause };
        let mut parts = self
            .files
            .get_ranges(&Key::from(volume.to_string()), std::slice::from_ref(&place))
            .await
            .map_err(|error| broken(error.to_string()))?;
        parts.pop().ok_or_else(|| broken("no bytes came".to_owned()))
    }
}

/// The bytes of a song: random, but the same for the same seed, song and size.
#[must_use]
pub fn song_bytes(seed: u64, song: u64, size: usize) -> Vec<u8> {
    let mut stream = Stream::new(seed, "song", "audio", song);
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        bytes.extend_from_slice(&stream.bits().to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Writes all songs, with one thread per core.
///
/// # Errors
/// If a file can't be written.
pub fn fill(directory: &Path, seed: u64, songs: u64, size: usize) -> Result<(), StackError> {
    let failed = |place: &Path, cause| {
        let place = place.to_owned();
        StackError::Prepare { what: "the audio store", place, cause }
    };
    std::fs::create_dir_all(directory).map_err(|cause| failed(directory, cause))?;
    let volumes = songs.div_ceil(songs_per_volume(size));
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(8));
    std::thread::scope(|scope| {
        let write = |volume| {
            let path = directory.join(u64::to_string(&volume));
            write_volume(&path, volume, seed, songs, size).map_err(|cause| failed(&path, cause))
        };
        let workers: Vec<_> = (0..threads as u64)
            .map(|worker| scope.spawn(move || (worker..volumes).step_by(threads).try_for_each(write)))
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or(Err(StackError::Gone)))
    })
}

fn write_volume(path: &Path, volume: u64, seed: u64, songs: u64, size: usize) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    let first = volume * songs_per_volume(size) + 1;
    let next = (first + songs_per_volume(size)).min(songs + 1);
    (first..next).try_for_each(|song| file.write_all(&song_bytes(seed, song, size)))
}

fn songs_per_volume(size: usize) -> u64 {
    (VOLUME_BYTES / size.max(1)).max(1) as u64
}

/// Volume of a song, and where in it the song is.
fn place(song: u64, size: usize) -> (u64, Range<u64>) {
    let (volume, position) = ((song - 1) / songs_per_volume(size), (song - 1) % songs_per_volume(size));
    let start = position * size as u64;
    (volume, start..start + size as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_song_is_where_its_place_says() {
        for (songs, size) in [(1, 7), (2100, 20_000), (3, VOLUME_BYTES + 1)] {
            let directory = tempfile::tempdir().unwrap();
            fill(directory.path(), 3, songs, size).unwrap();
            for song in [1, songs / 2 + 1, songs.min(839), songs.min(838), songs] {
                let (volume, range) = place(song, size);
                let bytes = std::fs::read(directory.path().join(volume.to_string())).unwrap();
                let found = &bytes[range.start as usize..range.end as usize];
                assert!(found == song_bytes(3, song, size), "song {song} of {songs}");
            }
        }
    }
}
