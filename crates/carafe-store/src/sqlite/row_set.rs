//! A set of up to 4096 numbers: which rows of a segment, or segments of a unit, have a gram.

/// Numbers from 0 to 4095.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowSet([u64; WORDS]);

/// Numbers in a set at most.
pub(crate) const ROWS: u16 = 4096;

const WORDS: usize = 64;

/// Bytes of a set of many numbers: a bit for each.
const BYTES: usize = WORDS * 8;

impl RowSet {
    pub(crate) const EMPTY: RowSet = RowSet([0; WORDS]);
    const FULL: RowSet = RowSet([u64::MAX; WORDS]);

    /// What [`encode`](Self::encode) made. All numbers where it made no such thing, so that
    /// nothing is lost to a search.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        let mut set = Self::EMPTY;
        if bytes.len() == BYTES {
            for (word, bytes) in set.0.iter_mut().zip(bytes.as_chunks().0) {
                *word = u64::from_le_bytes(*bytes);
            }
            return set;
        }
        let (numbers, rest) = bytes.as_chunks();
        for number in numbers.iter().copied().map(u16::from_le_bytes) {
            if number >= ROWS {
                return Self::FULL;
            }
            set.insert(number);
        }
        if rest.is_empty() { set } else { Self::FULL }
    }

    /// The numbers, two bytes each, or a bit for each where they are many; both little-endian.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let bytes = BYTES.min(self.len() * 2);
        let mut encoded = Vec::with_capacity(bytes);
        if bytes == BYTES {
            for word in self.0 {
                encoded.extend_from_slice(&word.to_le_bytes());
            }
        } else {
            for number in self.iter() {
                encoded.extend_from_slice(&number.to_le_bytes());
            }
        }
        encoded
    }

    pub(crate) fn insert(&mut self, number: u16) {
        self.0[usize::from(number) / 64 % WORDS] |= 1 << (number % 64);
    }

    pub(crate) fn contains(&self, number: u16) -> bool {
        self.0[usize::from(number) / 64 % WORDS] >> (number % 64) & 1 == 1
    }

    /// Adds all of another set.
    pub(crate) fn add(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word |= other;
        }
    }

    /// Keeps what is in another set too.
    pub(crate) fn keep(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word &= other;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// In ascending order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = u16> {
        let words = (0..ROWS).step_by(64).zip(self.0);
        words.flat_map(|(first, word)| Bits { first, word })
    }
}

/// The numbers of a word.
struct Bits {
    first: u16,
    word: u64,
}

impl Iterator for Bits {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        let bit = self.word.trailing_zeros();
        self.take(bit)
    }
}

impl DoubleEndedIterator for Bits {
    fn next_back(&mut self) -> Option<u16> {
        let bit = 63_u32.wrapping_sub(self.word.leading_zeros());
        self.take(bit)
    }
}

impl Bits {
    /// Takes out a bit, unless none is left.
    fn take(&mut self, bit: u32) -> Option<u16> {
        if self.word == 0 {
            return None;
        }
        self.word &= !(1 << bit);
        Some(self.first + u16::try_from(bit).ok()?)
    }
}

impl FromIterator<u16> for RowSet {
    fn from_iter<I: IntoIterator<Item = u16>>(numbers: I) -> Self {
        let mut set = Self::EMPTY;
        for number in numbers {
            set.insert(number);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for step in [1, 2, 15, 16, 17, 700, 4095] {
            let set: RowSet = (0..ROWS).step_by(step).collect();
            let bytes = set.encode();
            assert!(bytes.len() <= BYTES, "step {step}");
            assert_eq!(RowSet::decode(&bytes), set, "step {step}");
            let numbers: Vec<u16> = set.iter().collect();
            assert_eq!(numbers.len(), set.len(), "step {step}");
            assert_eq!(numbers.last(), set.iter().next_back().as_ref());
        }
        assert_eq!(RowSet::decode(&[]), RowSet::EMPTY);
        assert_eq!(RowSet::EMPTY.iter().next(), None);
    }

    #[test]
    fn damaged_bytes_are_every_number() {
        for bytes in [&[1][..], &[0, 0x10], &[0, 0, 7]] {
            assert_eq!(RowSet::decode(bytes), RowSet::FULL, "bytes: {bytes:?}");
        }
    }
}
