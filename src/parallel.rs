//! Many nodes shared between the cores: reading JSON is most of what a table of them costs.

use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// For fewer bytes a thread costs more than it saves.
const SHARE: usize = 1 << 20;
const MAX_THREADS: usize = 8;
/// What one thread reads at a time.
const PIECE: usize = 128 << 10;

/// Among how many threads work on so many bytes is shared.
pub(crate) fn shares(bytes: usize) -> usize {
    let cores = || thread::available_parallelism().map_or(1, NonZero::get);
    match bytes / SHARE {
        0 | 1 => 1,
        shares => shares.min(cores()).min(MAX_THREADS),
    }
}

/// The results in the order of the parts, each made in a thread of its own, the last one here; where
/// there are not so many threads, one after the other.
pub(crate) fn each<P: Send, R: Send>(parts: Vec<P>, work: impl Fn(P) -> R + Sync) -> Vec<R> {
    each_among(parts.len().saturating_sub(1), parts, work)
}

fn each_among<P: Send, R: Send>(
    threads: usize,
    parts: Vec<P>,
    work: impl Fn(P) -> R + Sync,
) -> Vec<R> {
    let left = Mutex::new(parts.into_iter().enumerate());
    let take = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = || {
        let mut done = Vec::new();
        while let Some((at, part)) = take() {
            done.push((at, work(part)));
        }
        done
    };
    thread::scope(|scope| {
        let made = (0..threads).map_while(|_| thread::Builder::new().spawn_scoped(scope, run).ok());
        let made: Vec<_> = made.collect();
        let mut done = run();
        for thread in made {
            match thread.join() {
                Ok(theirs) => done.extend(theirs),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done.sort_unstable_by_key(|(at, _)| *at);
        done.into_iter().map(|(_, result)| result).collect()
    })
}

/// One result per item, in their order; all of them are made of so many bytes.
pub(crate) fn map<T: Sync, R: Send>(
    items: &[T],
    bytes: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let length = items.len().div_ceil(shares(bytes)).max(1);
    let part = |part: &[T]| part.iter().map(&work).collect();
    joined(each(items.chunks(length).collect(), part))
}

/// Parts of about the same length.
pub(crate) fn split<T>(mut items: Vec<T>, shares: usize) -> Vec<Vec<T>> {
    let length = items.len().div_ceil(shares.max(1)).max(1);
    let mut parts = Vec::new();
    while items.len() > length {
        let rest = items.split_off(length);
        parts.push(std::mem::replace(&mut items, rest));
    }
    parts.push(items);
    parts
}

/// Reads a JSON array of records, on all cores if it is long. Each takes one small piece after the
/// other into the same memory: to touch new memory costs more than to read what stands in it.
pub(crate) fn array<R: Send, E: Send>(
    json: &[u8],
    read: impl Fn(&[u8]) -> Result<Vec<R>, E> + Sync,
) -> Result<Vec<R>, E> {
    let shares = shares(json.len());
    if shares > 1 {
        let pieces = split(arrays(json, json.len().div_ceil(PIECE)), shares);
        let parts: Result<Vec<_>, E> =
            each(pieces, |pieces| read_each(&pieces, &read)).into_iter().collect();
        if let Ok(parts) = parts {
            return Ok(joined(parts));
        }
        // The place of what is wrong is told as that in the whole.
    }
    read(json)
}

/// Reads a JSON array of records where it lies, on all cores if it is long: `read` gets parts of it
/// without the brackets. `None` if it is no array, or a part can't be read.
pub(crate) fn slices<'a, R: Send>(
    json: &'a [u8],
    read: impl Fn(&'a [u8]) -> Option<Vec<R>> + Sync,
) -> Option<Vec<R>> {
    inner(json)?;
    let parts = each(arrays(json, shares(json.len())), read);
    Some(joined(parts.into_iter().collect::<Option<_>>()?))
}

fn inner(json: &[u8]) -> Option<&[u8]> {
    json.strip_prefix(b"[").and_then(|json| json.strip_suffix(b"]"))
}

fn read_each<R, E>(
    pieces: &[&[u8]],
    read: impl Fn(&[u8]) -> Result<Vec<R>, E>,
) -> Result<Vec<R>, E> {
    let (mut all, mut array) = (Vec::new(), Vec::with_capacity(2 * PIECE));
    for piece in pieces {
        array.clear();
        array.push(b'[');
        array.extend_from_slice(piece);
        array.push(b']');
        all.append(&mut read(&array)?);
    }
    Ok(all)
}

/// The first part grows where it lies.
pub(crate) fn joined<R>(parts: Vec<Vec<R>>) -> Vec<R> {
    let length = parts.iter().map(Vec::len).sum::<usize>();
    let mut parts = parts.into_iter();
    let mut all = parts.next().unwrap_or_default();
    all.reserve_exact(length - all.len());
    parts.for_each(|mut part| all.append(&mut part));
    all
}

/// The JSON of an array of records as several such arrays without their brackets. Each record begins
/// with its id, and no text can hold the seam, as quotes in texts are escaped.
fn arrays(json: &[u8], shares: usize) -> Vec<&[u8]> {
    const SEAM: &[u8] = br#"},{"id":""#;
    let Some(mut rest) = inner(json) else { return vec![json] };
    let length = rest.len() / shares.max(1);
    let mut parts = Vec::new();
    while parts.len() + 1 < shares {
        let seam = rest
            .get(length..)
            .and_then(|tail| tail.windows(SEAM.len()).position(|window| window == SEAM));
        let Some(seam) = seam else { break };
        let (part, tail) = rest.split_at(length + seam + 1);
        parts.push(part);
        rest = &tail[1..];
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::{arrays, each, each_among, map, shares, split};

    #[test]
    fn a_small_cluster_needs_no_thread() {
        assert_eq!([shares(0), shares(SMALL)], [1, 1]);
        assert!((1..=8).contains(&shares(100 << 20)));
    }

    const SMALL: usize = (2 << 20) - 1;

    #[test]
    fn results_stand_in_the_order_of_the_parts() {
        for count in 0..7 {
            let items: Vec<u32> = (0..count).collect();
            for shares in 1..5 {
                let parts = split(items.clone(), shares);
                assert!(parts.len() <= shares, "{parts:?}");
                let double = |part: Vec<u32>| part.iter().map(|n| n * 2).collect::<Vec<_>>();
                let doubled = items.iter().map(|n| n * 2).collect::<Vec<_>>();
                assert_eq!(each(parts.clone(), double).concat(), doubled);
                for threads in 0..3 {
                    assert_eq!(each_among(threads, parts.clone(), double).concat(), doubled);
                }
            }
        }
    }

    #[test]
    fn items_are_mapped_in_their_order() {
        let items: Vec<u32> = (0..1000).collect();
        for bytes in [0, 10 << 20] {
            assert_eq!(
                map(&items, bytes, |n| n * 2),
                items.iter().map(|n| n * 2).collect::<Vec<_>>()
            );
            assert!(map(&items[..0], bytes, |n| n * 2).is_empty());
        }
    }

    #[test]
    fn arrays_are_cut_between_records_only() {
        let tricky = r#"{"id":"a","name":"},{\"id\":\"x","meta":{"id":"},{"}}"#;
        let json = format!("[{}]", [tricky; 9].join(","));
        for shares in 1..12 {
            let parts = arrays(json.as_bytes(), shares);
            assert!(parts.len() <= shares);
            let again = parts.join(&b","[..]);
            assert_eq!([b"[", &again[..], b"]"].concat(), json.as_bytes(), "{shares}");
            for part in parts {
                let part = [b"[", part, b"]"].concat();
                let read: Vec<serde_json::Value> = serde_json::from_slice(&part).unwrap();
                assert!(!read.is_empty());
            }
        }
        for odd in ["", "[", "]", "[]", "{}", "null"] {
            assert_eq!(arrays(odd.as_bytes(), 3).len(), 1, "{odd}");
        }
    }
}
