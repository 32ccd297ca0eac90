//! One copy of all songs, in volumes of many songs each, behind `object_store`.
//!
//! Why volumes: a file per song costs a directory entry and an open of its own, most of the time that a
//! start takes. Stores of small immutable objects pack them and read a range (Beaver et al., "Finding a
//! needle in Haystack", OSDI 2010), and so does this one.

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use object_store::ObjectStore as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use plimsoll_scenarios::rng::Stream;

use crate::digest::{self, Digest};
use crate::error::StackError;

/// Bytes of a volume, about; one song where songs are larger.
const VOLUME_BYTES: usize = 16 << 20;

/// Number and size of the songs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub songs: u64,
    pub song_bytes: usize,
}

impl Layout {
    fn songs_per_volume(self) -> u64 {
        (VOLUME_BYTES / self.song_bytes.max(1)).max(1) as u64
    }

    fn volumes(self) -> u64 {
        self.songs.div_ceil(self.songs_per_volume())
    }

    /// Volume of a song, and where in it the song is.
    fn place(self, song: u64) -> (u64, Range<u64>) {
        let (volume, position) = ((song - 1) / self.songs_per_volume(), (song - 1) % self.songs_per_volume());
        let start = position * self.song_bytes as u64;
        (volume, start..start + self.song_bytes as u64)
    }
}

/// A copy that can be read and written.
#[derive(Debug)]
pub struct Volumes {
    directory: PathBuf,
    files: LocalFileSystem,
    layout: Layout,
}

impl Volumes {
    pub fn open(directory: &Path, layout: Layout) -> Result<Self, StackError> {
        let files = LocalFileSystem::new_with_prefix(directory)?;
        Ok(Self { directory: directory.to_owned(), files, layout })
    }

    /// The song as it is stored; whoever reads it checks it.
    pub async fn read(&self, song: u64) -> object_store::Result<Bytes> {
        let (volume, place) = self.layout.place(song);
        let key = Key::from(volume.to_string());
        let mut parts = self.files.get_ranges(&key, std::slice::from_ref(&place)).await?;
        Ok(parts.pop().unwrap_or_default())
    }

    /// Writes a song in its place. A volume that is gone is begun again: what it lacks is missing there.
    pub fn write(&self, song: u64, bytes: &[u8]) -> std::io::Result<()> {
        let (volume, place) = self.layout.place(song);
        let path = self.directory.join(volume.to_string());
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.seek(SeekFrom::Start(place.start))?;
        file.write_all(bytes)
    }

    /// Changes bytes in the middle of a song, as a failing disk does.
    pub fn corrupt(&self, song: u64) -> std::io::Result<()> {
        let (volume, place) = self.layout.place(song);
        let mut file = OpenOptions::new().write(true).open(self.directory.join(volume.to_string()))?;
        file.seek(SeekFrom::Start(place.start + (place.end - place.start) / 2))?;
        // Other bytes than those there, whatever they are: nobody's audio is eight times the same letter twice.
        file.write_all(&b"corrupt!"[..8.min(self.layout.song_bytes)])
    }

    /// Loses the volume that a song is in, and with it its neighbours.
    pub fn lose(&self, song: u64) -> std::io::Result<()> {
        std::fs::remove_file(self.directory.join(self.layout.place(song).0.to_string()))
    }

    /// All songs of the volume that a song is in.
    pub fn neighbours(&self, song: u64) -> Range<u64> {
        let first = self.layout.place(song).0 * self.layout.songs_per_volume() + 1;
        first..(first + self.layout.songs_per_volume()).min(self.layout.songs + 1)
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

/// How songs are laid out on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Many in a file.
    Volumes,
    /// A file each, where the S3 server looks for its object.
    #[cfg(feature = "services")]
    Objects,
}

/// Writes all songs to all copies, with one thread per core, and gives their hashes.
///
/// # Errors
/// If a file can't be written.
pub fn fill(
    directories: &[PathBuf],
    seed: u64,
    layout: Layout,
    packing: Packing,
) -> Result<Vec<Digest>, StackError> {
    let failed = |place: &Path, cause| {
        let place = place.to_owned();
        StackError::Prepare { what: "the audio store", place, cause }
    };
    for directory in directories {
        std::fs::create_dir_all(directory).map_err(|cause| failed(directory, cause))?;
    }
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(8));
    let volumes = layout.volumes();
    let write = |volume| {
        match packing {
            Packing::Volumes => write_volume(directories, volume, seed, layout),
            #[cfg(feature = "services")]
            Packing::Objects => write_objects(directories, volume, seed, layout),
        }
        .map_err(|(place, cause)| failed(&place, cause))
    };
    let filled = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads as u64)
            .map(|worker| {
                scope.spawn(move || {
                    let mine = (worker..volumes).step_by(threads);
                    mine.map(|volume| Ok((volume, write(volume)?))).collect::<Result<Vec<_>, _>>()
                })
            })
            .collect();
        let mut filled = Vec::new();
        for worker in workers {
            filled.extend(worker.join().unwrap_or(Err(StackError::Gone))?);
        }
        Ok::<_, StackError>(filled)
    });
    let mut filled = filled?;
    filled.sort_by_key(|(volume, _)| *volume);
    Ok(filled.into_iter().flat_map(|(_, digests)| digests).collect())
}

/// Writes the songs that would be one volume to all copies, a file each, and gives the songs' hashes.
#[cfg(feature = "services")]
fn write_objects(
    directories: &[PathBuf],
    volume: u64,
    seed: u64,
    layout: Layout,
) -> Result<Vec<Digest>, (PathBuf, std::io::Error)> {
    use crate::services::objects::place;

    let first = volume * layout.songs_per_volume() + 1;
    let next = (first + layout.songs_per_volume()).min(layout.songs + 1);
    let write = |song| {
        let bytes = song_bytes(seed, song, layout.song_bytes);
        for directory in directories {
            place(directory, song)
                .and_then(|path| std::fs::write(path, &bytes))
                .map_err(|cause| (directory.clone(), cause))?;
        }
        Ok(digest::of(&bytes))
    };
    (first..next).map(write).collect()
}

/// Writes one volume to all copies, a song at a time, and gives the songs' hashes.
fn write_volume(
    directories: &[PathBuf],
    volume: u64,
    seed: u64,
    layout: Layout,
) -> Result<Vec<Digest>, (PathBuf, std::io::Error)> {
    let mut files = Vec::with_capacity(directories.len());
    for directory in directories {
        let path = directory.join(volume.to_string());
        files.push(File::create(&path).map(|file| (path.clone(), file)).map_err(|cause| (path, cause))?);
    }
    let first = volume * layout.songs_per_volume() + 1;
    let next = (first + layout.songs_per_volume()).min(layout.songs + 1);
    let mut digests = Vec::with_capacity((next - first) as usize);
    for song in first..next {
        let bytes = song_bytes(seed, song, layout.song_bytes);
        for (path, file) in &mut files {
            file.write_all(&bytes).map_err(|cause| (path.clone(), cause))?;
        }
        digests.push(digest::of(&bytes));
    }
    Ok(digests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_song_is_in_its_place_in_every_copy_with_its_hash() {
        for (songs, song_bytes_each) in [(1, 7), (2100, 20_000), (3, VOLUME_BYTES + 1)] {
            let place = tempfile::tempdir().unwrap();
            let directories = super::super::directories(place.path(), 2);
            let layout = Layout { songs, song_bytes: song_bytes_each };
            let digests = fill(&directories, 3, layout, Packing::Volumes).unwrap();
            assert_eq!(digests.len() as u64, songs);
            for directory in &directories {
                let copy = Volumes::open(directory, layout).unwrap();
                for song in [1, songs / 2 + 1, songs.min(839), songs.min(838), songs] {
                    let found = copy.read(song).await.unwrap();
                    assert!(found == song_bytes(3, song, song_bytes_each), "song {song} of {songs}");
                    assert_eq!(digest::of(&found), digests[song as usize - 1]);
                }
            }
        }
    }

    #[tokio::test]
    async fn a_copy_can_be_harmed_and_healed_and_grows() {
        let place = tempfile::tempdir().unwrap();
        let directories = super::super::directories(place.path(), 1);
        let layout = Layout { songs: 2000, song_bytes: 20_000 };
        fill(&directories, 3, layout, Packing::Volumes).unwrap();
        let copy = Volumes::open(&directories[0], layout).unwrap();
        let right = |song| song_bytes(3, song, 20_000);
        copy.corrupt(5).unwrap();
        assert!(copy.read(5).await.unwrap() != right(5));
        assert!(copy.read(4).await.unwrap() == right(4) && copy.read(6).await.unwrap() == right(6));
        copy.write(5, &right(5)).unwrap();
        assert!(copy.read(5).await.unwrap() == right(5));
        copy.lose(900).unwrap();
        assert_eq!(copy.neighbours(900), 839..1677);
        assert!(copy.read(839).await.is_err() && copy.read(838).await.is_ok());
        copy.write(900, &right(900)).unwrap();
        assert!(copy.read(900).await.unwrap() == right(900) && copy.read(839).await.unwrap() != right(839));
        copy.write(2001, &right(2001)).unwrap();
        assert!(copy.read(2001).await.unwrap() == right(2001));
    }
}
