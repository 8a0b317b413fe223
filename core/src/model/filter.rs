//! Which events are wanted: `type.action.key`.

use std::{fmt, str::FromStr};

/// How many words a filter has at most. It becomes a condition in SQL, and SQLite takes them up to a depth of 1000.
const WORDS: usize = 100;

/// Which events are wanted: several of `type.action.key` with spaces between them, each part `*`, a word, the beginning of
/// one (`node-*`), or a list of these with commas. A `.` is itself in the third part only; `\` makes `,`, `*`, a space and
/// itself ordinary there.
///
/// `nodes.create,delete.* clusters.*.7`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub(crate) alternatives: Vec<Alternative>,
}

/// One `type.action.key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alternative {
    pub(crate) kind: Part,
    pub(crate) action: Part,
    pub(crate) key: Part,
}

/// What one part of a filter takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Any,
    OneOf(Vec<Word>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    Is(String),
    BeginsWith(String),
}

/// A text that is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a filter of events: {why}; write type.action.key, as in `nodes.create,delete.*`")]
pub struct InvalidFilter {
    found: String,
    why: &'static str,
}

impl InvalidFilter {
    fn of(text: &str, why: &'static str) -> Self {
        let mut found: String = text.chars().take(200).collect();
        if found.len() < text.len() {
            found.push('…');
        }
        Self { found, why }
    }
}

impl Filter {
    /// The filter that takes what one of these takes; nothing where there is none.
    pub(crate) fn any_of<'f>(filters: impl IntoIterator<Item = &'f Self>) -> Self {
        Self { alternatives: filters.into_iter().flat_map(|filter| filter.alternatives.iter().cloned()).collect() }
    }

    /// How many words it has.
    pub(crate) fn words(&self) -> usize {
        let parts = self.alternatives.iter().flat_map(|one| [&one.kind, &one.action, &one.key]);
        let words = parts.map(|part| if let Part::OneOf(words) = part { words.len() } else { 0 });
        self.alternatives.len() + words.sum::<usize>()
    }

    /// The filter that takes everything.
    #[must_use]
    pub fn everything() -> Self {
        Self { alternatives: vec![Alternative { kind: Part::Any, action: Part::Any, key: Part::Any }] }
    }

    /// Whether an event of these three words is wanted.
    #[must_use]
    pub fn takes(&self, kind: &str, action: &str, key: &str) -> bool {
        self.alternatives.iter().any(|one| one.kind.takes(kind) && one.action.takes(action) && one.key.takes(key))
    }
}

impl Part {
    fn takes(&self, word: &str) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(words) => words.iter().any(|wanted| match wanted {
                Word::Is(wanted) => word == wanted,
                Word::BeginsWith(beginning) => word.starts_with(beginning.as_str()),
            }),
        }
    }
}

impl FromStr for Filter {
    type Err = InvalidFilter;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Of several the one that is amiss is named.
        let read = |one: &Vec<Letter>| alternative(one).map_err(|why| InvalidFilter::of(&plain(one), why));
        let filter = Self { alternatives: alternatives(text).iter().map(read).collect::<Result<_, _>>()? };
        if filter.alternatives.is_empty() {
            return Err(InvalidFilter::of(text, "it is empty"));
        }
        if filter.words() > WORDS {
            return Err(InvalidFilter::of(text, "it has more than 100 words"));
        }
        Ok(filter)
    }
}

/// A letter, and whether it stands for itself whatever it is.
type Letter = (char, bool);

fn alternatives(text: &str) -> Vec<Vec<Letter>> {
    let mut letters = Vec::new();
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        letters.push(match letter {
            '\\' => (rest.next().unwrap_or('\\'), true),
            letter => (letter, false),
        });
    }
    let words = letters.split(|letter| matches!(letter, (c, false) if c.is_whitespace()));
    words.filter(|word| !word.is_empty()).map(<[Letter]>::to_vec).collect()
}

fn alternative(letters: &[Letter]) -> Result<Alternative, &'static str> {
    // No event has one, and PostgreSQL refuses a statement that does.
    if letters.iter().any(|(letter, _)| *letter == '\0') {
        return Err("it holds a NUL character");
    }
    let mut parts = letters.splitn(3, |letter| *letter == ('.', false));
    match (parts.next(), parts.next(), parts.next()) {
        (Some(kind), Some(action), Some(key)) => {
            Ok(Alternative { kind: part(kind)?, action: part(action)?, key: part(key)? })
        }
        _ => Err("it has fewer than three parts"),
    }
}

fn part(letters: &[Letter]) -> Result<Part, &'static str> {
    const STAR: Letter = ('*', false);
    let mut words = Vec::new();
    for word in letters.split(|letter| *letter == (',', false)) {
        match word {
            [] => return Err("a part of it, or a word of a list, is empty"),
            [STAR] => return Ok(Part::Any),
            [beginning @ .., STAR] if !beginning.contains(&STAR) => words.push(Word::BeginsWith(plain(beginning))),
            word if !word.contains(&STAR) => words.push(Word::Is(plain(word))),
            _ => return Err("`*` stands alone or at the end of a word"),
        }
    }
    Ok(Part::OneOf(words))
}

fn plain(letters: &[Letter]) -> String {
    letters.iter().map(|(letter, _)| letter).collect()
}

impl fmt::Display for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Alternative { kind, action, key }) in self.alternatives.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            // The third part alone may hold dots.
            let [kind, action] = [kind, action].map(|part| part.to_string().replace('.', r"\."));
            write!(formatter, "{space}{kind}.{action}.{key}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::OneOf(words) = self else { return formatter.write_str("*") };
        for (index, word) in words.iter().enumerate() {
            let (text, star) = match word {
                Word::Is(text) => (text, ""),
                Word::BeginsWith(text) => (text, "*"),
            };
            formatter.write_str(if index == 0 { "" } else { "," })?;
            for letter in text.chars() {
                if matches!(letter, ',' | '*' | '\\') || letter.is_whitespace() {
                    formatter.write_str("\\")?;
                }
                write!(formatter, "{letter}")?;
            }
            formatter.write_str(star)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Filter;
    use proptest::prelude::*;

    #[test]
    fn a_filter_takes_what_its_three_parts_take() {
        let takes = |filter: &str, (kind, action, key): (&str, &str, &str)| {
            filter.parse::<Filter>().unwrap_or_else(|error| panic!("{error}")).takes(kind, action, key)
        };
        let created = ("nodes", "create", "7");
        for (filter, expected) in [
            ("nodes.create.7", true),
            ("*.*.*", true),
            ("nodes.update,create.*", true),
            ("nodes.delete.* nodes.*.7", true),
            ("node*.c*.*", true),
            ("nodes.create.8", false),
            ("nodes.delete.*", false),
            ("clusters.*.*", false),
        ] {
            assert_eq!(takes(filter, created), expected, "{filter}");
        }
        assert!(takes(r"own.did.a\,b\*\ c.d", ("own", "did", "a,b* c.d")));
        assert_eq!(r"a\.b.c.d.e".parse::<Filter>().map(|filter| filter.to_string()).as_deref(), Ok(r"a\.b.c.d.e"));
    }

    #[test]
    fn what_is_no_filter_is_told_why() {
        for (text, why) in [
            ("", "it is empty"),
            ("nodes.create", "fewer than three parts"),
            ("nodes..7", "is empty"),
            ("nodes.create,.7", "is empty"),
            ("no*es.create.7", "`*` stands alone or at the end"),
            ("nodes.*.a\0b", "NUL character"),
            ("clusters.*.7 no\0de*.*.*", "NUL character"),
            (&"*.*.7 ".repeat(51), "more than 100 words"),
            (&format!("nodes.*.{}", ["7"; 99].join(",")), "more than 100 words"),
        ] {
            let error = text.parse::<Filter>().expect_err(text).to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_written_reads_the_same(text in "[a-z.,*\\\\ ]{0,20}") {
            if let Ok(filter) = text.parse::<Filter>() {
                prop_assert_eq!(filter.to_string().parse::<Filter>(), Ok(filter));
            }
        }
    }
}
