//! The chance that schedules are made of: a small generator whose seed says everything.

#[derive(Debug, Clone)]
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number of splitmix64.
    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// In `0..limit`; 0 if `limit` is 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.number().checked_rem(limit as u64).unwrap_or(0)).unwrap()
    }

    pub(super) fn percent(&mut self, of_hundred: usize) -> bool {
        self.below(100) < of_hundred
    }

    /// One of `all`; `None` if there is none.
    pub(super) fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }

    /// One of `all`, each as often as its weight says.
    pub(super) fn weighted<T: Copy>(&mut self, all: &[(T, usize)]) -> T {
        let mut left = self.below(all.iter().map(|(_, weight)| weight).sum());
        for (what, weight) in all {
            if left < *weight {
                return *what;
            }
            left -= weight;
        }
        unreachable!("the weights are those that were summed up")
    }
}
