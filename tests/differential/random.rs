//! Numbers that look random and follow from a seed alone.

/// Splitmix64.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
    /// Whether the numbers of this case are fractions, or large.
    pub fractions: bool,
}

impl Random {
    pub const fn from(seed: u64) -> Self {
        Self { state: seed, fractions: seed.is_multiple_of(2) }
    }

    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `many`, which is not 0.
    pub fn below(&mut self, many: usize) -> usize {
        usize::try_from(self.next() % many as u64).expect("it is below a usize")
    }

    /// Whether one of `percent` in a hundred.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}
