//! Whether patterns of different owners can match one path, and which.
//!
//! What clashes is requests, not patterns: a slash at the end of a path is optional, so `/a/` and `/a` both answer `/a`.
//! The search reads all patterns at once, breadth first, so that the example that it finds is a shortest one. It does not
//! go on where only one owner is left, which is soon: patterns begin with the name of their extension.

use super::{
    automaton::{Automaton, Position},
    url::whole,
};
use regex::Regex;
use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
};

/// How many states the search may touch, for all patterns at once and then for two of them. A thousand ordinary patterns
/// touch some ten thousand, and a thousand below `/clusters/{id}` some two hundred thousand.
const MOST_WORK: usize = 1_000_000;
const MOST_WORK_FOR_TWO: usize = 200_000;

/// The patterns of all owners, which are told apart by `O`.
pub(super) struct Clashes<'a, O> {
    claims: Vec<Claim<'a, O>>,
    automata: Vec<Automaton>,
    found: BTreeMap<(usize, usize), Finding>,
}

struct Claim<'a, O> {
    owner: O,
    pattern: &'a str,
    /// Compiled when it is first asked whether it matches an example, which most patterns never are.
    regex: OnceCell<Option<Regex>>,
}

/// What there is to say about two patterns of different owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// Both match this path.
    Clash(String),
    /// They may match one path: one of them has word boundaries, which are not followed exactly.
    Boundary,
    /// They are too complex to be compared.
    TooComplex,
}

/// A position, and the path that leads there: a byte, and the position before.
struct Node {
    position: Position,
    byte: u8,
    before: Option<usize>,
}

impl<O> Default for Clashes<'_, O> {
    fn default() -> Self {
        Self { claims: Vec::new(), automata: Vec::new(), found: BTreeMap::new() }
    }
}

impl<'a, O: PartialEq> Clashes<'a, O> {
    /// Adds a pattern. The error says why it is none.
    pub(super) fn add(&mut self, owner: O, pattern: &'a str) -> Result<(), String> {
        self.automata.push(Automaton::of(pattern)?);
        self.claims.push(Claim { owner, pattern, regex: OnceCell::new() });
        Ok(())
    }

    /// What is found, by the indices of the two patterns in the order in which they were added.
    pub(super) fn find(mut self) -> BTreeMap<(usize, usize), Finding> {
        let all: Vec<usize> = (0..self.claims.len()).collect();
        if self.explore(&all, MOST_WORK).is_none() {
            self.explore_pairs();
        }
        self.found
    }

    /// The states of many patterns together can be so many that those of any two are nothing beside them.
    fn explore_pairs(&mut self) {
        let mut left = 10 * MOST_WORK;
        for other in 0..self.claims.len() {
            for one in (0..other).filter(|one| self.is_open(*one, other)).collect::<Vec<_>>() {
                match self.explore(&[one, other], left.min(MOST_WORK_FOR_TWO)) {
                    Some(work) => left -= work,
                    None => {
                        self.found.insert((one, other), Finding::TooComplex);
                        left = left.saturating_sub(MOST_WORK_FOR_TWO);
                    }
                }
                if left == 0 {
                    return; // The server does not start anyway: the last pair was too complex.
                }
            }
        }
    }

    /// Reads what the members can read together, and notes what they both match. The work that it took, or none where it
    /// was too much.
    fn explore(&mut self, members: &[usize], limit: usize) -> Option<usize> {
        let start = Position::start(&self.automata, members).steps(&self.automata);
        let root = start.by_byte.into_iter().find(|(byte, _)| *byte == b'/');
        let root = root.map(|(byte, position)| Node { position, byte, before: None });
        let mut seen = HashSet::new();
        let mut nodes: Vec<Node> = root.into_iter().collect();
        let mut next: VecDeque<usize> = (0..nodes.len()).collect();
        let mut work = start.work;
        while let Some(index) = next.pop_front() {
            let steps = nodes[index].position.steps(&self.automata);
            work += steps.work;
            if work > limit {
                return None;
            }
            let mut ended = nodes[index].position.ended(&self.automata);
            let slash = steps.by_byte.iter().find(|(byte, _)| *byte == b'/');
            ended.extend(slash.into_iter().flat_map(|(_, position)| position.ended(&self.automata)));
            // No path but the root has a slash at its end by the time it gets here.
            if nodes[index].byte != b'/' || nodes[index].before.is_none() {
                self.note(&ended, || path_to(&nodes, index));
            }
            for (byte, position) in steps.by_byte {
                if self.is_contested(&position) && seen.insert((position.clone(), byte == b'/')) {
                    next.push_back(nodes.len());
                    nodes.push(Node { position, byte, before: Some(index) });
                }
            }
        }
        Some(work)
    }

    /// Whether two owners are left between whose patterns no clash is known yet.
    fn is_contested(&self, position: &Position) -> bool {
        let alive: Vec<usize> = position.alive().collect();
        alive.iter().enumerate().any(|(place, other)| alive[..place].iter().any(|one| self.is_open(*one, *other)))
    }

    fn is_open(&self, one: usize, other: usize) -> bool {
        self.claims[one].owner != self.claims[other].owner
            && !matches!(self.found.get(&(one, other)), Some(Finding::Clash(_)))
    }

    /// Notes that all of these answer a path, after asking the patterns themselves.
    fn note(&mut self, ended: &BTreeSet<usize>, path: impl Fn() -> Option<String>) {
        for other in ended {
            for one in ended.range(..other).filter(|one| self.is_open(**one, *other)).collect::<Vec<_>>() {
                let path = path().filter(|path| self.answers(*one, path) && self.answers(*other, path));
                self.found.insert((*one, *other), path.map_or(Finding::Boundary, Finding::Clash));
            }
        }
    }

    fn answers(&self, index: usize, path: &str) -> bool {
        let claim = &self.claims[index];
        let regex = claim.regex.get_or_init(|| Regex::new(&whole(claim.pattern)).ok());
        regex.as_ref().is_some_and(|regex| regex.is_match(path) || regex.is_match(&format!("{path}/")))
    }
}

fn path_to(nodes: &[Node], index: usize) -> Option<String> {
    let nodes = std::iter::successors(Some(&nodes[index]), |node| node.before.map(|before| &nodes[before]));
    let mut path: Vec<u8> = nodes.map(|node| node.byte).collect();
    path.reverse();
    String::from_utf8(path).ok()
}

#[cfg(test)]
mod tests;
