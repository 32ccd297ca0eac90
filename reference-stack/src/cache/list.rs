//! A doubly linked list of entry numbers: constant time at both ends and in the middle.

/// No neighbour.
const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct List {
    /// Neighbours by entry: nearer to the front, nearer to the back.
    links: Vec<(u32, u32)>,
    front: u32,
    back: u32,
    len: usize,
}

impl Default for List {
    fn default() -> Self {
        Self { links: Vec::new(), front: NONE, back: NONE, len: 0 }
    }
}

impl List {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn front(&self) -> Option<u32> {
        (self.front != NONE).then_some(self.front)
    }

    /// Whoever stands behind an entry of the list.
    pub fn behind(&self, id: u32) -> Option<u32> {
        Some(self.links[id as usize].1).filter(|&next| next != NONE)
    }

    pub fn push_back(&mut self, id: u32) {
        if id as usize >= self.links.len() {
            self.links.resize(id as usize + 1, (NONE, NONE));
        }
        self.links[id as usize] = (self.back, NONE);
        if self.back == NONE {
            self.front = id;
        } else {
            self.links[self.back as usize].1 = id;
        }
        self.back = id;
        self.len += 1;
    }

    /// Takes out an entry that is in the list.
    pub fn remove(&mut self, id: u32) {
        let (before, after) = self.links[id as usize];
        if before == NONE {
            self.front = after;
        } else {
            self.links[before as usize].1 = after;
        }
        if after == NONE {
            self.back = before;
        } else {
            self.links[after as usize].0 = before;
        }
        self.len -= 1;
    }

    pub fn pop_front(&mut self) -> Option<u32> {
        let id = self.front()?;
        self.remove(id);
        Some(id)
    }

    pub fn move_to_back(&mut self, id: u32) {
        if self.back != id {
            self.remove(id);
            self.push_back(id);
        }
    }
}
