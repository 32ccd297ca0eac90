//! Keys of a trace to dense ids, in order of first appearance.
//!
//! Why an arena: a trace may name a hundred million URLs, and a string object each would double their
//! memory. The table holds ids only and looks the texts up in one long row of bytes.

use std::hash::BuildHasher;

use hashbrown::hash_map::Entry;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

/// What a trace calls an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    Number(u64),
    Text(&'a [u8]),
}

#[derive(Debug, Default)]
pub struct Keys {
    hasher: DefaultHashBuilder,
    numbers: HashMap<u64, u32>,
    texts: HashTable<u32>,
    /// All texts in order of their ids, and where each ends.
    letters: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    /// The id of a key; `next` becomes that of a new one. A trace has keys of one kind.
    pub fn id(&mut self, key: Key<'_>, next: u32) -> u32 {
        match key {
            Key::Number(number) => match self.numbers.entry(number) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(free) => *free.insert(next),
            },
            Key::Text(text) => {
                let (letters, ends, hasher) = (&self.letters, &self.ends, &self.hasher);
                let text_of = |id: u32| text_at(letters, ends, id);
                let entry = self.texts.entry(
                    hasher.hash_one(text),
                    |&id| text_of(id) == text,
                    |&id| hasher.hash_one(text_of(id)),
                );
                if let hashbrown::hash_table::Entry::Occupied(known) = &entry {
                    return *known.get();
                }
                entry.insert(next);
                self.letters.extend_from_slice(text);
                self.ends.push(self.letters.len());
                next
            }
        }
    }
}

fn text_at<'a>(letters: &'a [u8], ends: &[usize], id: u32) -> &'a [u8] {
    let id = id as usize;
    let from = if id == 0 { 0 } else { ends[id - 1] };
    &letters[from..ends[id]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_dense_and_the_same_key_has_the_same() {
        let mut keys = Keys::default();
        let names: Vec<String> = (0..5_000).map(|i| format!("/song/{}", i * 7 % 1_250)).collect();
        let mut next = 0;
        for (i, name) in names.iter().enumerate() {
            let id = keys.id(Key::Text(name.as_bytes()), next);
            assert_eq!(id as usize, i % 1_250);
            next = next.max(id + 1);
        }
        assert_eq!(keys.id(Key::Text(b""), next), next);
        let mut numbers = Keys::default();
        assert_eq!([u64::MAX, 0, u64::MAX].map(|n| numbers.id(Key::Number(n), u32::from(n == 0))), [0, 1, 0]);
    }
}
