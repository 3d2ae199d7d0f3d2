//! Messages with something changed, the same each time, for tests of whatever reads them.

pub(crate) struct Changes(u64);

impl Changes {
    /// From a number that is not zero.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of this many (xorshift; nothing here depends on its quality). Of none, the first.
    pub(crate) fn below(&mut self, many: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % many.max(1)
    }

    /// One of the good messages, with up to four places changed: a byte is another, some are taken out or doubled, or a
    /// piece is put in.
    pub(crate) fn to(&mut self, good: &[&str], pieces: &[&str]) -> Vec<u8> {
        let mut all = good[self.below(good.len())].as_bytes().to_vec();
        for _ in 0..self.below(5) {
            let from = self.below(all.len() + 1);
            let to = (from + self.below(12)).min(all.len());
            match self.below(4) {
                0 => {
                    if let Some(byte) = all.get_mut(from) {
                        *byte = self.below(256) as u8;
                    }
                }
                1 => drop(all.drain(from..to)),
                2 => {
                    let piece = all[from..to].to_vec();
                    drop(all.splice(to..to, piece));
                }
                _ => drop(all.splice(from..from, pieces[self.below(pieces.len())].bytes())),
            }
        }
        all
    }
}
