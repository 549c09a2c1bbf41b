//! The records in a file: printed without ever being in memory as a whole.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// What is in memory of it at one moment.
const PIECE: usize = 64 << 10;

/// A part of a file that is open. The file is only ever replaced as a whole, so the part stays.
#[derive(Debug, Clone)]
pub struct AllFile {
    file: Arc<File>,
    start: u64,
    len: u64,
}

impl AllFile {
    pub fn new(file: File, start: u64, len: u64) -> Self {
        Self { file: Arc::new(file), start, len }
    }

    /// The whole part.
    ///
    /// # Errors
    /// It can't be read, or has become shorter.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(self.len).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, self.start)?;
        Ok(bytes)
    }

    /// Hands over one piece after the other.
    ///
    /// # Errors
    /// As [`Self::read`], or what `each` returns.
    pub fn pieces(&self, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut buffer = vec![0; PIECE];
        let mut done = 0;
        while done < self.len {
            let left = usize::try_from(self.len - done).unwrap_or(PIECE).min(PIECE);
            self.file.read_exact_at(&mut buffer[..left], self.start + done)?;
            each(&buffer[..left])?;
            done += left as u64;
        }
        Ok(())
    }

    /// # Errors
    /// As [`Self::read`], or of the writer.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        self.pieces(|piece| out.write_all(piece))
    }
}

/// The same open part.
impl PartialEq for AllFile {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file)
    }
}

impl Eq for AllFile {}

#[cfg(test)]
mod tests {
    use super::{AllFile, PIECE};

    #[test]
    fn a_part_is_read_and_written_whole_or_not_at_all() {
        let bytes: Vec<u8> = (0..3 * PIECE + 7).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, &bytes).unwrap();
        let part = |start: usize, len: usize| {
            AllFile::new(std::fs::File::open(&path).unwrap(), start as u64, len as u64)
        };
        for (start, len) in [(0, 0), (0, 5), (9, PIECE), (7, 3 * PIECE)] {
            let mut out = Vec::new();
            part(start, len).write_to(&mut out).unwrap();
            assert_eq!(out, bytes[start..start + len]);
            assert_eq!(part(start, len).read().unwrap(), out);
        }
        let beyond = part(8, 3 * PIECE);
        assert!(beyond.read().is_err() && beyond.write_to(&mut Vec::new()).is_err());
    }
}
