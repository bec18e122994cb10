//! Visits every state that can be reached, and finds the shortest history that breaks something.

use std::{
    collections::{HashSet, VecDeque},
    fmt::Debug,
    hash::{BuildHasherDefault, Hash, Hasher},
};

/// Visits everything that is reachable from `starts`: the shortest history at whose end something is `wrong`, or how many states there
/// are. `wrong` is told what can happen next, by which it knows what is at rest.
pub fn explore<W: Copy + Debug + Eq + Hash>(
    starts: impl IntoIterator<Item = W>,
    next: impl Fn(&W) -> Vec<(&'static str, W)>,
    wrong: impl Fn(&W, &[(&'static str, W)]) -> Option<String>,
) -> Result<usize, String> {
    let mut seen: HashSet<W, BuildHasherDefault<Mix>> = HashSet::default();
    let mut history: Vec<(u32, &'static str)> = Vec::new();
    let mut queue = VecDeque::new();
    for start in starts {
        seen.insert(start);
        queue.push_back((start, u32::MAX));
    }
    while let Some((world, at)) = queue.pop_front() {
        let next = next(&world);
        if let Some(wrong) = wrong(&world, &next) {
            return Err(format!("{wrong}: {}", tell(&history, at)));
        }
        for (name, then) in next {
            if seen.insert(then) {
                let index = u32::try_from(history.len()).expect("fewer than four thousand million states");
                history.push((at, name));
                queue.push_back((then, index));
            }
        }
    }
    Ok(seen.len())
}

fn tell(history: &[(u32, &'static str)], mut at: u32) -> String {
    let mut names = Vec::new();
    while let Some((before, name)) = history.get(at as usize) {
        names.push(*name);
        at = *before;
    }
    names.reverse();
    names.join(" → ")
}

/// A fast hasher: the search hashes millions of small states, and nobody attacks it.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}
