//! A buffer for replies that is as large as they need: most are a few hundred bytes, some are many values.

use std::io::{self, BufRead, Read};

const FIRST: usize = 4 << 10;
/// Many values of a few KB come in one reply.
const LARGEST: usize = 256 << 10;

/// Reads ahead, the more the more there is to read.
pub(crate) struct GrowingReader<R> {
    from: R,
    bytes: Vec<u8>,
    /// What has been read ahead.
    ahead: std::ops::Range<usize>,
}

impl<R: Read> GrowingReader<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { from, bytes: vec![0; FIRST], ahead: 0..0 }
    }

    /// What has been read ahead.
    pub(crate) fn buffer(&self) -> &[u8] {
        &self.bytes[self.ahead.clone()]
    }

    pub(crate) fn get_mut(&mut self) -> &mut R {
        &mut self.from
    }
}

impl<R: Read> BufRead for GrowingReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.ahead.is_empty() {
            let was_full = self.ahead.end == self.bytes.len();
            if was_full && self.bytes.len() < LARGEST {
                self.bytes = vec![0; self.bytes.len() * 8];
            }
            self.ahead = 0..0;
            self.ahead.end = self.from.read(&mut self.bytes)?;
        }
        Ok(self.buffer())
    }

    fn consume(&mut self, amount: usize) {
        self.ahead.start = self.ahead.end.min(self.ahead.start + amount);
    }
}

impl<R: Read> Read for GrowingReader<R> {
    /// What is larger than the buffer does not pass through it.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() && into.len() >= self.bytes.len() {
            return self.from.read(into);
        }
        let ahead = self.fill_buf()?;
        let length = ahead.len().min(into.len());
        into[..length].copy_from_slice(&ahead[..length]);
        self.consume(length);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, Read as _};

    use super::{FIRST, GrowingReader, LARGEST};

    #[test]
    fn it_grows_with_what_comes_and_loses_nothing() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
        let mut reader = GrowingReader::new(bytes.as_slice());
        let mut read = Vec::new();
        let mut piece = vec![0; 3000];
        assert_eq!(reader.bytes.len(), FIRST);
        while read.len() < bytes.len() {
            reader.read_exact(&mut piece).unwrap();
            read.extend_from_slice(&piece);
        }
        assert!(read == bytes && reader.fill_buf().unwrap().is_empty());
        assert_eq!(reader.bytes.len(), LARGEST);

        let mut small = GrowingReader::new(&bytes[..300]);
        assert_eq!(small.read_until(2, &mut Vec::new()).unwrap(), 3);
        assert_eq!(small.buffer().len(), 297);
        small.read_to_end(&mut read).unwrap();
        assert_eq!(small.bytes.len(), FIRST);

        let mut long = GrowingReader::new(bytes.as_slice());
        let mut whole = vec![0; bytes.len()];
        long.read_exact(&mut whole).unwrap();
        assert!(whole == bytes && long.bytes.len() == FIRST, "it did not pass through the buffer");
    }
}
