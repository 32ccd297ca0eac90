//! Zstandard, as a reader: all frames of a file, one after the other, with their checksums.

use std::io::{self, BufRead, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// First bytes of a frame, and of one that is to be skipped (its lowest four bits are free).
const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const SKIPPABLE: [u8; 3] = [0x2A, 0x4D, 0x18];

pub fn is_zstd(head: &[u8]) -> bool {
    head.starts_with(&MAGIC) || (head.len() > 3 && head[0] & 0xF0 == 0x50 && head[1..4] == SKIPPABLE)
}

/// Decodes what `source` holds. Errors of the packed data are of the kind `InvalidData`.
pub struct Unpacked<R> {
    source: R,
    decoder: FrameDecoder,
    within_frame: bool,
}

impl<R: BufRead> Unpacked<R> {
    pub fn new(source: R) -> Self {
        Self { source, decoder: FrameDecoder::new(), within_frame: false }
    }

    /// Begins the next frame; `false` at the end of the source.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let skipped = io::copy(&mut self.source.by_ref().take(length.into()), &mut io::sink())?;
                    if skipped < u64::from(length) {
                        return Err(broken("the file ends within a frame"));
                    }
                }
                Err(cause) => return Err(broken(cause)),
            }
        }
        Ok(false)
    }

    fn check(&self) -> io::Result<()> {
        let stated = self.decoder.get_checksum_from_data();
        if stated.is_some() && stated != self.decoder.get_calculated_checksum() {
            return Err(broken("the checksum does not match"));
        }
        Ok(())
    }
}

fn broken(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, cause)
}

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if target.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.within_frame {
                self.within_frame = self.next_frame()?;
                if !self.within_frame {
                    return Ok(0);
                }
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(broken)?;
            }
            let read = self.decoder.read(target)?;
            if read > 0 {
                return Ok(read);
            }
            self.check()?;
            self.within_frame = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn unpacked(packed: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        Unpacked::new(packed).read_to_end(&mut plain)?;
        Ok(plain)
    }

    #[test]
    fn frames_follow_each_other_and_some_are_skipped() {
        let text = b"0,/a,10\n1,/b,20\n".repeat(10_000);
        let frame = compress_to_vec(&text[..], CompressionLevel::Fastest);
        assert!(is_zstd(&frame));
        let note = [0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, b'a', b'b', b'c'];
        assert!(is_zstd(&note));
        let packed = [&note[..], &frame, &note, &frame].concat();
        assert_eq!(unpacked(&packed).unwrap(), [&text[..], &text].concat());
    }

    #[test]
    fn what_is_cut_short_or_changed_is_an_error() {
        let text = (0..50_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>();
        let frame = compress_to_vec(&text[..], CompressionLevel::Fastest);
        for end in [5, frame.len() / 2, frame.len() - 1] {
            assert!(unpacked(&frame[..end]).is_err(), "cut at {end} of {}", frame.len());
        }
        let mut changed = frame.clone();
        changed[frame.len() / 2] ^= 0x10;
        assert!(unpacked(&changed).is_err());
    }
}
