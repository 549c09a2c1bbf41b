//! Chance that can be repeated: a small generator, seeded or not.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

/// SplitMix64.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Different at every start of the process.
    pub fn from_chance() -> Self {
        Self(RandomState::new().hash_one(0x5eed_u64))
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `bound - 1`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.number() % bound }
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            let other = self.below(at as u64 + 1) as usize;
            items.swap(at, other);
        }
    }

    /// A UUID in Nomad's form.
    pub fn uuid(&mut self) -> String {
        let (high, low) = (self.number(), self.number());
        let tail = low & 0xffff_ffff_ffff;
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{tail:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48
        )
    }
}
