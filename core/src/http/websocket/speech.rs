//! What the two sides of a WebSocket say.

use crate::{
    events::Gap,
    model::{Event, Filter},
};
use serde::Serialize;
use std::str::FromStr;

/// How long a message of a client may be, in bytes.
const MESSAGE: usize = 4 << 10;

/// What the server says.
#[derive(Serialize)]
#[serde(tag = "frame", rename_all = "lowercase")]
pub(super) enum Frame {
    Event { event: Box<Event> },
    Gap(Gap),
    Registered { filter: String, after: i64 },
    Deregistered { filter: String },
    Error { detail: String },
}

/// What a client wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Register { filter: Filter, after: Option<i64> },
    Deregister { filter: Filter },
}

impl FromStr for Wish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > MESSAGE {
            return Err(format!("a message has at most {MESSAGE} bytes"));
        }
        let filter = |text: &str| text.parse::<Filter>().map_err(|error| error.to_string());
        match text.trim().split_once(char::is_whitespace) {
            Some(("register", rest)) => match rest.rsplit_once(" after ") {
                Some((rest, after)) => {
                    let after = after.trim().parse().ok().filter(|after| *after >= 0);
                    let after = after.ok_or("`after` is not followed by a sequence number")?;
                    Ok(Self::Register { filter: filter(rest)?, after: Some(after) })
                }
                None => Ok(Self::Register { filter: filter(rest)?, after: None }),
            },
            Some(("deregister", rest)) => Ok(Self::Deregister { filter: filter(rest)? }),
            _ => {
                let wishes = "`register <filter>`, `register <filter> after <sequence>` or `deregister <filter>`";
                Err(format!("a message is {wishes}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MESSAGE, Wish};

    #[test]
    fn a_message_is_a_wish_or_is_told_what_is_wrong() {
        let filter = |text: &str| text.parse().expect("a filter");
        let register = |text, after| Ok(Wish::Register { filter: filter(text), after });
        for (text, wish) in [
            ("register nodes.*.*", register("nodes.*.*", None)),
            (" register  nodes.*.* tasks.*.7 ", register("nodes.*.* tasks.*.7", None)),
            ("register nodes.*.* tasks.*.7 after 17", register("nodes.*.* tasks.*.7", Some(17))),
            ("deregister nodes.*.*", Ok(Wish::Deregister { filter: filter("nodes.*.*") })),
        ] {
            assert_eq!(text.parse::<Wish>(), wish, "{text}");
        }
        let long = format!("register nodes.*.{}", "7".repeat(MESSAGE));
        for (text, part) in [
            ("", "register <filter>"),
            ("register", "register <filter>"),
            ("REGISTER nodes.*.*", "register <filter>"),
            ("register nodes", "type.action.key"),
            ("register nodes.*.* after", "type.action.key"),
            ("register nodes.*.* after -1", "sequence number"),
            ("register nodes.*.* after 99999999999999999999", "sequence number"),
            ("deregister nodes.*.* after 7", "type.action.key"),
            (&long, "at most"),
        ] {
            let error = text.parse::<Wish>().expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
