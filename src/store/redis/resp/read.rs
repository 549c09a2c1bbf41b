//! Replies as they come: RESP2, each value read in one step into memory of its size.
//!
//! The library's parser takes 8 KB at a time and copies what it has twice: 10 MB cost it 8 ms more.

use std::io::{self, BufRead};

use redis::{Value, parse_redis_value};

use crate::model::mask::Mask;

/// Redis itself allows a value of 512 MB.
const MAX_BULK_BYTES: usize = 512 << 20;
/// What is read into memory of one value, as of an answer of Nomad's: a longer one is read past, and
/// counts as nothing. Anybody who may write to the Redis can put it there.
const LONGEST_KEPT: usize = 256 << 20;
/// The same of all values of a reply: 100,000 full records take less.
const MOST_KEPT: usize = 1 << 30;
/// What a value costs besides its bytes.
const COST: usize = size_of::<Value>();
/// A line that is no value: a status, a number, an error.
const LONGEST_LINE: usize = 64 << 10;
/// More values than any reply of the protocol has.
const MAX_ELEMENTS: usize = 16 << 20;
/// A reply holds lists of values, nothing deeper.
const DEEPEST: usize = 4;

/// One reply; `InvalidData` if this is not Redis.
pub(crate) fn read(from: &mut impl BufRead, mask: &Mask) -> io::Result<Value> {
    value(from, DEEPEST, &mut MOST_KEPT.clone(), mask)
}

/// `room` is what may still be kept of this reply. What is no data hides what was sent.
fn value(
    from: &mut impl BufRead,
    depth: usize,
    room: &mut usize,
    mask: &Mask,
) -> io::Result<Value> {
    *room = room.checked_sub(COST).ok_or_else(strange)?;
    let line = line(from)?;
    let (kind, rest) = line.split_first().ok_or_else(strange)?;
    match kind {
        b'$' => match length(rest, MAX_BULK_BYTES)? {
            Some(length) if length > LONGEST_KEPT.min(*room) => skip(from, length),
            Some(length) => {
                *room -= length;
                bulk(from, length)
            }
            None => Ok(Value::Nil),
        },
        b'*' => match length(rest, MAX_ELEMENTS)? {
            Some(count) if depth > 0 => {
                let values = (0..count).map(|_| value(from, depth - 1, room, mask));
                values.collect::<io::Result<_>>().map(Value::Array)
            }
            Some(_) => Err(strange()),
            None => Ok(Value::Nil),
        },
        b'+' | b'-' | b':' => {
            let rest = match kind {
                b':' => rest.into(),
                _ => mask.hidden(&String::from_utf8_lossy(rest)).into_bytes(),
            };
            let whole = [&[*kind], &rest[..], b"\r\n"].concat();
            parse_redis_value(&whole).map_err(|_| strange())
        }
        _ => Err(strange()),
    }
}

/// Without its end.
fn line(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    loop {
        let part = from.fill_buf()?;
        if part.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Who is no Redis may never end his line.
        if line.is_empty() && !b"$*+-:".contains(&part[0]) {
            return Err(strange());
        }
        let end = part.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(part.len(), |end| end + 1);
        line.extend_from_slice(&part[..taken]);
        from.consume(taken);
        if end.is_some() {
            return line.strip_suffix(b"\r\n").map(<[u8]>::to_vec).ok_or_else(strange);
        }
        if line.len() > LONGEST_LINE {
            return Err(strange());
        }
    }
}

/// `None` for -1, which is nothing.
fn length(digits: &[u8], most: usize) -> io::Result<Option<usize>> {
    if digits == b"-1" {
        return Ok(None);
    }
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    number.filter(|number| *number <= most).map(Some).ok_or_else(strange)
}

fn bulk(from: &mut impl BufRead, length: usize) -> io::Result<Value> {
    // Memory that is zero anyway: nobody touches it before the bytes arrive.
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    end(from).map(|()| Value::BulkString(bytes))
}

/// Reads past a value of this length.
fn skip(from: &mut impl BufRead, length: usize) -> io::Result<Value> {
    let mut value = io::Read::take(&mut *from, length as u64);
    if io::copy(&mut value, &mut io::sink())? < length as u64 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    end(from).map(|()| Value::Nil)
}

fn end(from: &mut impl BufRead) -> io::Result<()> {
    let mut end = [0; 2];
    from.read_exact(&mut end)?;
    if end == *b"\r\n" { Ok(()) } else { Err(strange()) }
}

fn strange() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, ErrorKind};

    use proptest::prelude::*;
    use redis::{Value, parse_redis_value};

    use super::Mask;
    use crate::model::secret::Secret;

    fn read(from: &mut impl std::io::BufRead) -> std::io::Result<Value> {
        super::read(from, &Mask::default())
    }

    /// In small pieces, as a slow line would bring it.
    fn slowly(bytes: &[u8]) -> std::io::Result<Value> {
        read(&mut BufReader::with_capacity(3, bytes))
    }

    fn replies() -> impl Strategy<Value = Vec<u8>> {
        let leaf = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| {
                [format!("${}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat()
            }),
            Just(b"$-1\r\n".to_vec()),
            Just(b"*-1\r\n".to_vec()),
            any::<i64>().prop_map(|number| format!(":{number}\r\n").into_bytes()),
            "[ -~]{0,20}".prop_map(|text| format!("+{text}\r\n").into_bytes()),
            "[A-Z]{1,8} [ -~]{0,20}".prop_map(|text| format!("-{text}\r\n").into_bytes()),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop::collection::vec(inner, 0..4).prop_map(|values| {
                [format!("*{}\r\n", values.len()).into_bytes(), values.concat()].concat()
            })
        })
    }

    proptest! {
        #[test]
        fn a_reply_is_what_the_library_takes_it_for(reply in replies()) {
            prop_assert_eq!(slowly(&reply).unwrap(), parse_redis_value(&reply).unwrap());
        }

        #[test]
        fn whatever_comes_is_a_reply_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = slowly(&bytes);
        }

        #[test]
        fn what_is_cut_off_is_no_reply(reply in replies(), part in 0.0..1.0_f64) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a part of a short text")]
            let cut = (reply.len() as f64 * part) as usize;
            prop_assert_eq!(slowly(&reply[..cut]).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        }
    }

    /// An error or a status never holds what was sent; data stays what it is.
    #[test]
    fn what_was_sent_does_not_come_back() {
        let mask = Mask::new([Secret::new("hunter2")]);
        let read = |mut bytes: &[u8]| super::read(&mut bytes, &mask).unwrap();
        let Value::ServerError(error) = read(b"-ERR no \"hunter2\" (68756e74657232), hunte\r\n")
        else {
            panic!("an error")
        };
        assert_eq!(error.details(), Some("no \"***\" (***), ***"));
        assert_eq!(read(b"+a hunter2\r\n"), Value::SimpleString("a ***".to_owned()));
        assert_eq!(read(b"$7\r\nhunter2\r\n"), Value::BulkString(b"hunter2".to_vec()));
    }

    #[test]
    fn what_is_not_redis() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"\r\n",
            b"\x15\x03\x01",
            b"HTTP",
            b"$5\r\nabc\r\nxx",
            b"$x\r\n",
            b"$99999999999\r\n",
            b"*99999999999\r\n",
            b"+OK\n",
            b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        ] {
            assert_eq!(slowly(bytes).unwrap_err().kind(), ErrorKind::InvalidData, "{bytes:?}");
        }
        let long = [b"+", &b"x".repeat(100_000)[..]].concat();
        assert_eq!(slowly(&long).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    /// What is too long, and what is too much in all, is read past: the next reply is understood.
    #[test]
    fn what_is_too_much_counts_as_nothing() {
        use std::io::Read as _;

        use super::{LONGEST_KEPT, skip, value};

        let long = (LONGEST_KEPT + 1) as u64;
        let head = format!("${long}\r\n");
        let reply =
            head.as_bytes().chain(std::io::repeat(b'x').take(long)).chain(&b"\r\n:7\r\n"[..]);
        let mut reply = BufReader::with_capacity(1 << 20, reply);
        assert_eq!(read(&mut reply).unwrap(), Value::Nil);
        assert_eq!(read(&mut reply).unwrap(), Value::Int(7));
        let mut pair = &b"*2\r\n$3\r\nabc\r\n$3\r\nabc\r\n"[..];
        let mut room = 3 * super::COST + 5;
        let kept = value(&mut pair, 1, &mut room, &Mask::default()).unwrap();
        assert_eq!(kept, Value::Array(vec![Value::BulkString(b"abc".to_vec()), Value::Nil]));
        let error = skip(&mut &b"abc"[..], 4).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
}
