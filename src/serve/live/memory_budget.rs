//! One bound for the bytes that all answers of the process hold: made, kept, or on their way.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::body::Bytes;

/// For the whole process, in bytes. The publication that is shown does not count: it is there
/// without anybody asking.
pub(crate) const MOST: usize = 256 << 20;
/// So much every answer may hold, whatever the others hold: there are few connections.
pub(crate) const SMALL: usize = 64 << 10;

/// What is counted. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryBudget(Arc<AtomicUsize>);

/// Bytes that are counted as long as this lives.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: MemoryBudget,
    bytes: usize,
}

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exhausted;

impl MemoryBudget {
    /// How many bytes are held now.
    pub(crate) fn used(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts bytes that are held in any case, whatever else is.
    pub(crate) fn charge(&self, bytes: usize) -> Charge {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Charge { budget: self.clone(), bytes }
    }

    /// Bytes that are counted until nobody shares them any more.
    pub(crate) fn share(&self, bytes: Vec<u8>) -> Bytes {
        let charge = self.charge(bytes.capacity());
        BudgetedBytes::bytes(Arc::new(BudgetedBytes { bytes, _charge: charge }))
    }

    /// Whether an answer may begin whose bytes are there already; `shown` are those of the publication.
    pub(crate) fn check(&self, shown: usize) -> Result<(), Exhausted> {
        if self.used().saturating_sub(shown) > MOST { Err(Exhausted) } else { Ok(()) }
    }
}

impl Charge {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts more; `free` bytes of what is counted do not matter.
    fn grow(&mut self, bytes: usize, free: usize) -> Result<(), Exhausted> {
        let more = bytes.saturating_sub(self.bytes);
        let room = |used: usize| {
            let fits = used.saturating_sub(free).saturating_add(more) <= MOST;
            (fits || bytes <= SMALL).then_some(used + more)
        };
        let (order, used) = (Ordering::Relaxed, &self.budget.0);
        used.fetch_update(order, order, room).map_err(|_| Exhausted)?;
        self.bytes += more;
        Ok(())
    }

    fn shrink(&mut self, bytes: usize) {
        self.budget.0.fetch_sub(self.bytes.saturating_sub(bytes), Ordering::Relaxed);
        self.bytes = self.bytes.min(bytes);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Bytes and their charge: both end with the last [`Bytes`] that shares them.
pub(crate) struct BudgetedBytes {
    bytes: Vec<u8>,
    _charge: Charge,
}

/// What a [`Bytes`] holds.
struct SharedBytes(Arc<BudgetedBytes>);

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl BudgetedBytes {
    pub(crate) fn bytes(made: Arc<Self>) -> Bytes {
        Bytes::from_owner(SharedBytes(made))
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Bytes that are being made, and are given up when there is no room for them.
pub(crate) struct GrowingBytes {
    bytes: Vec<u8>,
    charge: Charge,
    shown: usize,
}

impl GrowingBytes {
    /// `shown`: the bytes of the publication that they are made of.
    pub(crate) fn new(budget: &MemoryBudget, shown: usize) -> Self {
        Self { bytes: Vec::new(), charge: budget.charge(0), shown }
    }

    pub(crate) fn add(&mut self, more: &[u8]) -> Result<(), Exhausted> {
        let needed = self.bytes.len() + more.len();
        if needed > self.bytes.capacity() {
            let capacity = needed.max(2 * self.bytes.capacity());
            self.charge.grow(capacity, self.shown)?;
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    pub(crate) fn done(mut self) -> BudgetedBytes {
        self.bytes.shrink_to_fit();
        self.charge.shrink(self.bytes.capacity());
        BudgetedBytes { bytes: self.bytes, _charge: self.charge }
    }
}

impl io::Write for GrowingBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let full = |_| io::Error::from(io::ErrorKind::OutOfMemory);
        self.add(bytes).map(|()| bytes.len()).map_err(full)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{BudgetedBytes, Exhausted, GrowingBytes, MOST, MemoryBudget, SMALL};

    #[test]
    fn bytes_count_once_until_the_last_who_shares_them_is_gone() {
        let budget = MemoryBudget::default();
        let all = budget.share(vec![7; 1000]);
        let part = all.slice(10..20);
        assert_eq!((budget.used(), all.len()), (1000, 1000));
        drop(all);
        assert_eq!((budget.used(), &part[..]), (1000, &[7; 10][..]));
        drop(part);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_is_made_stays_within_the_bound_and_small_answers_are_always_made() {
        let budget = MemoryBudget::default();
        let shown = budget.charge(50 << 20);
        let others = budget.charge(MOST - (1 << 20));
        let mut growing = GrowingBytes::new(&budget, 50 << 20);
        let piece = vec![0; 100 << 10];
        let added = (0..20).take_while(|_| growing.add(&piece).is_ok()).count();
        assert!((5..=10).contains(&added), "{added} pieces of 100 KB in 1 MB");
        assert!(budget.used() <= MOST + (50 << 20));
        let bytes = BudgetedBytes::bytes(Arc::new(growing.done()));
        assert_eq!(budget.used() - (50 << 20) - (MOST - (1 << 20)), bytes.len());
        let full = budget.charge(1 << 20);
        assert_eq!(budget.check(50 << 20), Err(Exhausted));
        let mut small = GrowingBytes::new(&budget, 50 << 20);
        assert!(small.add(&vec![0; SMALL]).is_ok() && small.add(&[0]).is_err());
        drop((small, full, bytes));
        assert_eq!(budget.check(50 << 20), Ok(()));
        drop((shown, others));
        assert_eq!(budget.used(), 0);
    }
}
