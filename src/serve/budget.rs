//! One bound for the bytes that all answers of the process hold: made, kept, or on their way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// What is counted. Clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Budget(Arc<AtomicUsize>);

/// Bytes that are counted as long as this lives.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Budget,
    bytes: usize,
}

/// Bytes and their charge: both end with the last [`Bytes`] that shares them.
struct Charged {
    bytes: Vec<u8>,
    _charge: Charge,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Budget {
    /// How many bytes are held now.
    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts bytes that are held in any case, whatever else is.
    pub(super) fn charge(&self, bytes: usize) -> Charge {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Charge { budget: self.clone(), bytes }
    }

    /// Bytes that are counted until nobody shares them any more.
    pub(super) fn share(&self, bytes: Vec<u8>) -> Bytes {
        self.charge(bytes.capacity()).share(bytes)
    }
}

impl Charge {
    /// These bytes under this charge.
    pub(super) fn share(self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Charged { bytes, _charge: self })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn bytes_count_once_until_the_last_who_shares_them_is_gone() {
        let budget = Budget::default();
        let all = budget.share(vec![7; 1000]);
        let part = all.slice(10..20);
        assert_eq!((budget.used(), all.len()), (1000, 1000));
        drop(all);
        assert_eq!((budget.used(), &part[..]), (1000, &[7; 10][..]));
        drop(part);
        assert_eq!(budget.used(), 0);
    }
}
