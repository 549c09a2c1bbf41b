//! A limit on the bytes of all responses of the process: being rendered, kept, or being sent.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::body::Bytes;

use super::error::AnswerError;

/// For the whole process, in bytes. The current publication does not count: it is in memory without
/// any request.
pub(crate) const MAX_BYTES: usize = 256 << 20;
/// A response may always have this many bytes, whatever the others have: connections are few.
pub(crate) const SMALL: usize = 64 << 10;

/// The counter. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryBudget(Arc<AtomicUsize>);

/// Bytes that are counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: MemoryBudget,
    pub(crate) bytes: usize,
}

impl MemoryBudget {
    /// How many bytes are counted now.
    pub(crate) fn used(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts bytes without checking the limit.
    pub(crate) fn charge(&self, bytes: usize) -> Charge {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Charge { budget: self.clone(), bytes }
    }

    /// Bytes that are counted until the last clone is dropped.
    pub(crate) fn share(&self, bytes: Vec<u8>) -> Bytes {
        let charge = self.charge(bytes.capacity());
        BudgetedBytes::bytes(Arc::new(BudgetedBytes { bytes, charge }))
    }

    /// Whether bytes in memory may be sent; `publication` is the size of the one that they are from.
    pub(crate) fn check(&self, publication: usize) -> Result<(), AnswerError> {
        let fits = self.used().saturating_sub(publication) <= MAX_BYTES;
        fits.then_some(()).ok_or(AnswerError::OutOfMemory)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Bytes and their charge: both are released with the last [`Bytes`] that shares them.
pub(crate) struct BudgetedBytes {
    bytes: Vec<u8>,
    charge: Charge,
}

/// The owner of a [`Bytes`].
struct SharedBytes(Arc<BudgetedBytes>);

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl BudgetedBytes {
    pub(crate) fn bytes(shared: Arc<Self>) -> Bytes {
        Bytes::from_owner(SharedBytes(shared))
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Bytes that are being rendered, as long as there is room for them.
pub(crate) struct GrowingBytes {
    all: BudgetedBytes,
    publication: usize,
}

impl GrowingBytes {
    /// `publication`: the size of the publication that they are rendered from.
    pub(crate) fn new(budget: &MemoryBudget, publication: usize) -> Self {
        Self { all: BudgetedBytes { bytes: Vec::new(), charge: budget.charge(0) }, publication }
    }

    pub(crate) fn add(&mut self, more: &[u8]) -> Result<(), AnswerError> {
        let BudgetedBytes { bytes, charge } = &mut self.all;
        let needed = bytes.len() + more.len();
        if needed > bytes.capacity() {
            let capacity = needed.max(2 * bytes.capacity());
            let growth = capacity.saturating_sub(charge.bytes);
            let room = |used: usize| {
                let fits =
                    used.saturating_sub(self.publication).saturating_add(growth) <= MAX_BYTES;
                (fits || capacity <= SMALL).then_some(used + growth)
            };
            let (order, used) = (Ordering::Relaxed, &charge.budget.0);
            used.fetch_update(order, order, room).map_err(|_| AnswerError::OutOfMemory)?;
            charge.bytes = capacity;
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(more);
        Ok(())
    }

    pub(crate) fn done(mut self) -> BudgetedBytes {
        let BudgetedBytes { bytes, charge } = &mut self.all;
        bytes.shrink_to_fit();
        let unused = charge.bytes.saturating_sub(bytes.capacity());
        charge.budget.0.fetch_sub(unused, Ordering::Relaxed);
        charge.bytes -= unused;
        self.all
    }
}

impl io::Write for GrowingBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(bytes).map(|()| bytes.len()).map_err(|_| io::ErrorKind::OutOfMemory.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{BudgetedBytes, GrowingBytes, MAX_BYTES, MemoryBudget, SMALL};

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
        let others = budget.charge(MAX_BYTES - (1 << 20));
        let mut growing = GrowingBytes::new(&budget, 50 << 20);
        let piece = vec![0; 100 << 10];
        let added = (0..20).take_while(|_| growing.add(&piece).is_ok()).count();
        assert!((5..=10).contains(&added), "{added} pieces of 100 KB in 1 MB");
        assert!(budget.used() <= MAX_BYTES + (50 << 20));
        let bytes = BudgetedBytes::bytes(Arc::new(growing.done()));
        assert_eq!(budget.used() - (50 << 20) - (MAX_BYTES - (1 << 20)), bytes.len());
        let full = budget.charge(1 << 20);
        assert!(budget.check(50 << 20).is_err());
        let mut small = GrowingBytes::new(&budget, 50 << 20);
        assert!(small.add(&vec![0; SMALL]).is_ok() && small.add(&[0]).is_err());
        drop((small, full, bytes));
        assert!(budget.check(50 << 20).is_ok());
        drop((shown, others));
        assert_eq!(budget.used(), 0);
    }
}
