//! Notes that are the same in every run.

/// In every 740th note, once.
pub(crate) const RARE: &str = "zyxwvut";
/// In every 13th note.
pub(crate) const COMMON: &str = "quxfrob";
/// In no note.
pub(crate) const ABSENT: &str = "nothing-like-it";
/// Thirty letters in one note; each three of them in a row are in many.
pub(crate) const LONG_NOTE: u64 = 700;

/// A note as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) title: String,
    pub(crate) content: String,
}

impl Note {
    /// The body of a POST. Titles and contents have letters, spaces and hyphens only.
    pub(crate) fn json(&self) -> String {
        format!(
            r#"{{"title":"{}","content":"{}"}}"#,
            self.title, self.content
        )
    }
}

/// Notes one after another, always the same (xorshift).
pub(crate) struct Notes {
    random: Random,
    words: Vec<String>,
    number: u64,
}

impl Notes {
    pub(crate) fn new() -> Self {
        let mut random = Random::new(1);
        let words = (0..5000).map(|_| word(&mut random)).collect();
        Self {
            random,
            words,
            number: 0,
        }
    }

    /// Thirty letters that stand in the note with the number [`LONG_NOTE`].
    pub(crate) fn long_text(&self) -> String {
        let mut text = String::new();
        for word in self.words.iter().filter(|word| word.len() >= 4).take(12) {
            text.push_str(word);
        }
        text.truncate(30);
        text
    }

    fn text(&mut self, words: usize) -> String {
        let mut text = String::with_capacity(words * 7);
        for number in 0..words {
            if number > 0 {
                text.push(' ');
            }
            let index = self.random.below(self.words.len() as u64);
            text.push_str(&self.words[usize::try_from(index).unwrap_or(0)]);
        }
        text
    }
}

impl Iterator for Notes {
    type Item = Note;

    fn next(&mut self) -> Option<Note> {
        self.number += 1;
        let title = self.text(4);
        let mut content = self.text(35);
        if self.number.is_multiple_of(740) {
            content.push_str(" Zyxwvut");
        }
        if self.number.is_multiple_of(13) {
            content.push_str(" quxfrobnicate");
        }
        if self.number == LONG_NOTE {
            content.push(' ');
            content.push_str(&self.long_text());
        }
        Some(Note { title, content })
    }
}

fn word(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(4) {
        for letters in [&b"bcdfghklmnprstvw"[..], b"aeiou"] {
            let index = random.below(letters.len() as u64);
            text.push(char::from(letters[usize::try_from(index).unwrap_or(0)]));
        }
    }
    text
}

/// Numbers that look random and are the same in every run (xorshift).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// From 0 to less than `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
