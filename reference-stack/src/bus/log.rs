//! The log of events: records of one size, numbered without gaps, in segments that are deleted from the front.
//!
//! Why not a database: a log is only ever written at its end and read in order. A record is in the kernel's
//! hands before its event is acknowledged, so it outlives the process; a power cut may cost the last moments.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Time, song, check sum.
const RECORD: u64 = 20;
/// Records of a segment.
const SEGMENT_RECORDS: u64 = 1 << 18;
/// Segments that are kept: about 160 MB.
const SEGMENTS_MAX: usize = 32;

/// A play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    pub song: u64,
}

impl Event {
    fn bytes(self) -> [u8; RECORD as usize] {
        let mut bytes = [0; RECORD as usize];
        bytes[..8].copy_from_slice(&self.at_ms.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.song.to_le_bytes());
        let sum = crc32fast::hash(&bytes[..16]);
        bytes[16..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// As the body of a message.
    #[cfg(feature = "services")]
    pub fn payload(self) -> bytes::Bytes {
        bytes::Bytes::copy_from_slice(&self.bytes())
    }

    /// From the body of a message; `None` for what is none.
    #[cfg(feature = "services")]
    pub fn of_payload(payload: &[u8]) -> Option<Self> {
        Self::read(payload)
    }

    /// `None` for what was written in part only, or changed since.
    fn read(bytes: &[u8]) -> Option<Self> {
        let number =
            |range: std::ops::Range<usize>| Some(u64::from_le_bytes(bytes.get(range)?.try_into().ok()?));
        let (at_ms, song) = (number(0..8)?, number(8..16)?);
        let sum = u32::from_le_bytes(bytes.get(16..20)?.try_into().ok()?);
        (crc32fast::hash(&bytes[..16]) == sum).then_some(Self { at_ms, song })
    }
}

/// The writing end.
#[derive(Debug)]
pub struct Log {
    directory: PathBuf,
    /// Offsets of the first records of all segments, oldest first; never empty.
    segments: Vec<u64>,
    file: File,
    /// Offset of the next record.
    end: u64,
}

impl Log {
    /// Opens the log in a directory, or begins it there. A record that was cut off in the middle is dropped.
    ///
    /// # Errors
    /// If a file can't be read or written.
    pub fn open(directory: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let mut segments = segments(directory)?;
        if segments.is_empty() {
            segments.push(0);
        }
        let last = segments[segments.len() - 1];
        let path = path(directory, last);
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.chunks(RECORD as usize).take_while(|record| Event::read(record).is_some()).count();
        file.set_len(whole as u64 * RECORD)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { directory: directory.to_owned(), segments, file, end: last + whole as u64 })
    }

    /// Offset of the next record.
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Adds an event at the end.
    ///
    /// # Errors
    /// If it can't be written; then it is not in the log.
    pub fn append(&mut self, event: Event) -> std::io::Result<()> {
        let last = self.segments[self.segments.len() - 1];
        if self.end - last >= SEGMENT_RECORDS {
            self.begin_segment()?;
        }
        let last = self.segments[self.segments.len() - 1];
        if let Err(error) = self.file.write_all(&event.bytes()) {
            // What went out of the record must not stand before the next.
            let whole = (self.end - last) * RECORD;
            self.file.set_len(whole)?;
            self.file.seek(SeekFrom::Start(whole))?;
            return Err(error);
        }
        self.end += 1;
        Ok(())
    }

    fn begin_segment(&mut self) -> std::io::Result<()> {
        self.file = File::create(path(&self.directory, self.end))?;
        self.segments.push(self.end);
        while self.segments.len() > SEGMENTS_MAX {
            std::fs::remove_file(path(&self.directory, self.segments.remove(0)))?;
        }
        Ok(())
    }
}

/// Reads events from an offset on, at most so many; gives them with the offset after the last. What is no
/// longer kept is passed over. Another thread may append meanwhile.
///
/// # Errors
/// If a file can't be read.
pub fn read(directory: &Path, from: u64, count_max: usize) -> std::io::Result<(Vec<Event>, u64)> {
    let segments = segments(directory)?;
    let Some(&oldest) = segments.first() else { return Ok((Vec::new(), from)) };
    let from = from.max(oldest);
    let index = segments.partition_point(|&first| first <= from) - 1;
    let first = segments[index];
    let mut file = File::open(path(directory, first))?;
    file.seek(SeekFrom::Start((from - first) * RECORD))?;
    let mut bytes = Vec::new();
    file.take(count_max as u64 * RECORD).read_to_end(&mut bytes)?;
    let records = bytes.chunks_exact(RECORD as usize);
    let whole = records.len() as u64;
    // A record whose sum is wrong was harmed on disk: it is skipped, those after it are not.
    let events: Vec<Event> = records.filter_map(Event::read).collect();
    match segments.get(index + 1) {
        Some(&next) if whole == 0 => read(directory, next, count_max),
        _ => Ok((events, from + whole)),
    }
}

fn segments(directory: &Path) -> std::io::Result<Vec<u64>> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        segments.extend(name.to_str().and_then(|name| name.strip_suffix(".log")?.parse::<u64>().ok()));
    }
    segments.sort_unstable();
    Ok(segments)
}

fn path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}.log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(song: u64) -> Event {
        Event { at_ms: 1000 + song, song }
    }

    #[test]
    fn what_was_appended_is_read_from_any_offset_also_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = Log::open(directory.path()).unwrap();
        (1..=5).for_each(|song| log.append(event(song)).unwrap());
        assert_eq!(read(directory.path(), 2, 2).unwrap(), (vec![event(3), event(4)], 4));
        assert_eq!(read(directory.path(), 5, 10).unwrap(), (vec![], 5));
        drop(log);
        let mut log = Log::open(directory.path()).unwrap();
        assert_eq!(log.end(), 5);
        log.append(event(6)).unwrap();
        assert_eq!(read(directory.path(), 4, 10).unwrap(), (vec![event(5), event(6)], 6));
    }

    #[test]
    fn a_record_that_was_cut_off_is_dropped_and_one_that_was_harmed_is_skipped() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = Log::open(directory.path()).unwrap();
        (1..=4).for_each(|song| log.append(event(song)).unwrap());
        drop(log);
        let file = path(directory.path(), 0);
        let mut bytes = std::fs::read(&file).unwrap();
        bytes.truncate(3 * RECORD as usize + 11);
        std::fs::write(&file, &bytes).unwrap();
        let mut log = Log::open(directory.path()).unwrap();
        assert_eq!(log.end(), 3);
        log.append(event(9)).unwrap();
        bytes = std::fs::read(&file).unwrap();
        bytes[RECORD as usize + 3] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        assert_eq!(read(directory.path(), 0, 10).unwrap(), (vec![event(1), event(3), event(9)], 4));
    }

    #[test]
    fn segments_follow_each_other_and_the_oldest_go() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = Log::open(directory.path()).unwrap();
        // As if segments had been filled: only their names and ends matter.
        for _ in 0..SEGMENTS_MAX + 3 {
            log.append(event(1)).unwrap();
            log.begin_segment().unwrap();
        }
        log.append(event(2)).unwrap();
        assert_eq!(segments(directory.path()).unwrap().len(), SEGMENTS_MAX);
        assert_eq!((log.segments[0], log.end()), (4, SEGMENTS_MAX as u64 + 4));
        let (mut at, mut songs) = (0, Vec::new());
        loop {
            let (events, next) = read(directory.path(), at, 10).unwrap();
            if next == at.max(4) && events.is_empty() {
                break;
            }
            songs.extend(events.into_iter().map(|event| event.song));
            at = next;
        }
        assert_eq!((songs.len(), songs.last()), (SEGMENTS_MAX, Some(&2)));
    }
}
