//! Several patterns read at once, a byte at a time: the subset construction over their automata.
//!
//! `regex-automata` compiles the patterns. Its own DFAs are not walked, since their states do not tell which patterns are
//! still alive, and that is what keeps the search of clashes small.

use axum::http::uri::PathAndQuery;
use regex_automata::{
    nfa::thompson::{Compiler, Config, NFA, State, Transition, WhichCaptures},
    util::primitives::StateID,
};
use std::{collections::BTreeSet, sync::LazyLock};

/// The automaton of one pattern. Word boundaries hold everywhere in it, so it may read more than the pattern matches.
pub(super) struct Automaton(NFA);

impl Automaton {
    pub(super) fn of(pattern: &str) -> Result<Self, String> {
        let config = Config::new().which_captures(WhichCaptures::None);
        Compiler::new().configure(config).build(pattern).map(Self).map_err(|error| error.to_string())
    }
}

/// Where several automata are after the same bytes: each by its index, with a state that reads a byte or is the end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Position(Vec<(usize, StateID)>);

/// Where one more byte leads: a byte for each class that the automata tell apart, those that are easy to read first.
pub(super) struct Steps {
    pub(super) by_byte: Vec<(u8, Position)>,
    /// How many states that took.
    pub(super) work: usize,
}

impl Position {
    pub(super) fn start(automata: &[Automaton], members: &[usize]) -> Self {
        let starts = members.iter().map(|&index| (index, automata[index].0.start_anchored())).collect();
        Self::reached(automata, starts)
    }

    /// Everything that is reached without reading a byte.
    fn reached(automata: &[Automaton], mut open: Vec<(usize, StateID)>) -> Self {
        let mut seen = BTreeSet::new();
        let mut places = Vec::new();
        while let Some(place) = open.pop() {
            if !seen.insert(place) {
                continue;
            }
            let (index, id) = place;
            match automata[index].0.state(id) {
                State::Union { alternates } => open.extend(alternates.iter().map(|&next| (index, next))),
                State::BinaryUnion { alt1, alt2 } => open.extend([(index, *alt1), (index, *alt2)]),
                State::Capture { next, .. } | State::Look { next, .. } => open.push((index, *next)),
                State::ByteRange { .. } | State::Sparse(_) | State::Match { .. } => places.push(place),
                State::Dense(_) | State::Fail => {}
            }
        }
        places.sort_unstable();
        Self(places)
    }

    /// The automata that can still read on or are at their end.
    pub(super) fn alive(&self) -> impl Iterator<Item = usize> {
        self.0.chunk_by(|(one, _), (other, _)| one == other).map(|places| places[0].0)
    }

    /// The automata that are at their end.
    pub(super) fn ended(&self, automata: &[Automaton]) -> BTreeSet<usize> {
        let ended = self.0.iter().filter(|(index, id)| matches!(automata[*index].0.state(*id), State::Match { .. }));
        ended.map(|(index, _)| *index).collect()
    }

    /// Where each byte leads that can stand in the path of a request.
    pub(super) fn steps(&self, automata: &[Automaton]) -> Steps {
        let transitions: Vec<(usize, u8, u8, StateID)> = self.transitions(automata).collect();
        let class = classes(transitions.iter().map(|(_, first, last, _)| (*first, *last)));
        let mut targets = vec![Vec::new(); usize::from(class[255]) + 1];
        let mut work = 1;
        for (index, first, last, next) in transitions {
            for reached in &mut targets[usize::from(class[usize::from(first)])..=usize::from(class[usize::from(last)])]
            {
                reached.push((index, next));
                work += 1;
            }
        }
        let by_byte = READABLE.iter().filter_map(|&byte| {
            let reached = std::mem::take(&mut targets[usize::from(class[usize::from(byte)])]);
            (!reached.is_empty()).then(|| (byte, Self::reached(automata, reached)))
        });
        Steps { by_byte: by_byte.collect(), work }
    }

    fn transitions(&self, automata: &[Automaton]) -> impl Iterator<Item = (usize, u8, u8, StateID)> {
        self.0.iter().flat_map(|&(index, id)| {
            let transitions: &[Transition] = match automata[index].0.state(id) {
                State::ByteRange { trans } => std::slice::from_ref(trans),
                State::Sparse(sparse) => &sparse.transitions,
                // The compiler makes no others.
                _ => &[],
            };
            transitions.iter().map(move |transition| (index, transition.start, transition.end, transition.next))
        })
    }
}

/// The class of each byte: bytes of one class are in the same ranges. A slash is a class of its own.
fn classes(ranges: impl Iterator<Item = (u8, u8)>) -> [u8; 256] {
    let mut begins = [false; 257];
    for (first, last) in ranges.chain([(b'/', b'/')]) {
        begins[usize::from(first)] = true;
        begins[usize::from(last) + 1] = true;
    }
    let mut class = [0; 256];
    for byte in 1..256 {
        class[byte] = class[byte - 1] + u8::from(begins[byte]);
    }
    class
}

/// The bytes that can stand in the path of a request, those first that a person reads most easily.
static READABLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let easy = (b'a'..=b'z').chain(b'1'..=b'9').chain(*b"0").chain(b'A'..=b'Z').chain(*b"-_./~");
    let mut bytes: Vec<u8> = easy.collect();
    bytes.extend((0..=127).filter(|byte| !bytes.contains(byte)).collect::<Vec<_>>());
    bytes.retain(|&byte| PathAndQuery::try_from(&[b'/', byte][..]).is_ok_and(|parsed| parsed.path().len() == 2));
    bytes.extend(128..=255);
    bytes
});
