//! Compression as Nomad offers it, and the bomb that it never sends.

use std::io::Write as _;

use flate2::write::{DeflateEncoder, GzEncoder};
use flate2::{Compress, Compression, Crc, FlushCompress};

use crate::http::{Answer, Head};

/// Compresses the body if an element of `Accept-Encoding` is exactly `gzip` or `deflate`; the
/// first of them wins. There is no threshold.
pub(crate) fn compress(answer: &mut Answer, head: &Head) {
    let accepted = head.header("Accept-Encoding").unwrap_or_default();
    let wanted =
        accepted.split(',').map(str::trim).find(|word| matches!(*word, "gzip" | "deflate"));
    let Some(coding) = wanted else { return };
    if answer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Content-Encoding"))
        || answer.body.is_empty()
    {
        return;
    }
    let body = std::mem::take(&mut answer.body);
    let packed = if coding == "gzip" {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&body).and_then(|()| encoder.finish())
    } else {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&body).and_then(|()| encoder.finish())
    };
    answer.body = packed.expect("writing into memory does not fail");
    answer.headers.insert(0, ("Content-Encoding".to_owned(), coding.to_owned()));
}

/// One gzip member that unpacks to `[`, `megabytes` MiB of spaces, and `]`.
pub(crate) fn bomb(megabytes: u32) -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let block = vec![b' '; 1 << 20];
    // A full flush ends each block without a trace, so that the same bytes can be repeated.
    let repeated = deflated(&block, FlushCompress::Full);
    packed.extend(deflated(b"[", FlushCompress::Full));
    (0..megabytes).for_each(|_| packed.extend_from_slice(&repeated));
    packed.extend(deflated(b"]", FlushCompress::Finish));
    let (mut sum, mut one) = (Crc::new(), Crc::new());
    sum.update(b"[");
    one.update(&block);
    (0..megabytes).for_each(|_| sum.combine(&one));
    sum.update(b"]");
    packed.extend(sum.sum().to_le_bytes());
    packed.extend(sum.amount().to_le_bytes());
    packed
}

fn deflated(bytes: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 << 10);
    let mut compress = Compress::new(Compression::best(), false);
    compress.compress_vec(bytes, &mut out, flush).expect("compressing into memory does not fail");
    out
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_bomb_is_small_and_valid() {
        let packed = bomb(3);
        assert!(packed.len() < 20_000, "{}", packed.len());
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked.len(), (3 << 20) + 2);
        assert_eq!((unpacked[0], unpacked[1], unpacked.last()), (b'[', b' ', Some(&b']')));
    }
}
