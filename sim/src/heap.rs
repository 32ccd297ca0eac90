//! The one step that every heap here lives by: a new key in the first place, and down to where it belongs.
//!
//! Why four children: half the levels of a binary heap, and all children of a place lie in one or two lines of the
//! processor's cache.

/// Children of a place; those of `at` begin at `ARITY * at + 1`.
pub const ARITY: usize = 4;

/// Puts a key where the first was, the least of a heap that is not empty, and lets it sink.
#[inline]
pub fn replace_first<K: Copy + PartialOrd>(heap: &mut [K], key: K) {
    let mut at = 0;
    loop {
        let below = ARITY * at + 1;
        if below >= heap.len() {
            break;
        }
        let children = &heap[below..heap.len().min(below + ARITY)];
        let (least, which) = match *children {
            [a, b, c, d] => {
                let (left, l) = if b < a { (b, 1) } else { (a, 0) };
                let (right, r) = if d < c { (d, 3) } else { (c, 2) };
                if right < left { (right, r) } else { (left, l) }
            }
            [a, b, c] => {
                let (left, l) = if b < a { (b, 1) } else { (a, 0) };
                if c < left { (c, 2) } else { (left, l) }
            }
            [a, b] if b < a => (b, 1),
            [a, ..] => (a, 0),
            [] => break,
        };
        if key <= least {
            break;
        }
        heap[at] = least;
        at = below + which;
    }
    heap[at] = key;
}
