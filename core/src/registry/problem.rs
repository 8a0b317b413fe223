//! What can be wrong with the extensions of a build and with their settings. All of it is told at once.

use crate::{
    codes::{ErrorCode, catalogue},
    extension::{Metadata, UrlEntry},
};
use std::fmt;

catalogue! {
    RG0101 = "two extensions of one name";
    RG0102 = "an extension refers to one that is not in this build";
    RG0103 = "extensions wait for each other";
    RG0104 = "an extension requires another version";
    RG0105 = "settings of an extension that is not in this build";
    RG0106 = "a setting is wrong";
    RG0107 = "an extension could not say what it consists of";
    RG0108 = "a URL pattern cannot be used";
    RG0109 = "two URL patterns can match one path";
    RG0110 = "the name of an extension claims tables that are not its own";
    RG0111 = "an extension calls what none that it requires provides";
    RG0112 = "the name of an orchestrator cannot be used";
    RG0113 = "the settings choose an extension that is not in this build";
    RG0114 = "an extension refers to one that is not active";
    RG0115 = "a required extension is not active";
    RG0116 = "an extension does not accept its settings";
    RG0120 = "a subscription cannot be used";
    RG0121 = "a type of events cannot be used";
}

/// One thing that is wrong.
#[derive(Debug)]
pub(crate) enum BootProblem {
    DuplicateName { first: &'static Metadata, second: &'static Metadata },
    UnknownReference { metadata: &'static Metadata, argument: &'static str, name: String },
    InactiveReference { metadata: &'static Metadata, argument: &'static str, name: String },
    UnknownChoice { file: Option<String>, key: &'static str, name: String, known: Vec<&'static str> },
    RequiredInactive { file: Option<String>, name: String },
    Invalid { file: Option<String>, metadata: &'static Metadata, detail: String },
    Cycle { extensions: Vec<&'static Metadata> },
    Version { metadata: &'static Metadata, requirement: String, found: &'static str },
    SettingsOfUnknown { file: Option<String>, name: String },
    Settings { file: Option<String>, key: String, detail: String },
    Declaration { metadata: &'static Metadata, method: &'static str, fault: String },
    Pattern { url: WrittenUrl, detail: String },
    Patterns { count: usize, detail: String },
    Call { metadata: &'static Metadata, called: &'static str, provided_by: Vec<&'static str> },
    Orchestrator { metadata: &'static Metadata, name: &'static str, why: String },
    Subscription { metadata: &'static Metadata, name: String, why: String },
    EventType { metadata: &'static Metadata, kind: &'static str, why: String },
    Claim { metadata: &'static Metadata, tables: Vec<String> },
    Clash { one: WrittenUrl, other: WrittenUrl, path: String },
    Uncompared { one: WrittenUrl, other: WrittenUrl, why: &'static str },
}

/// A URL as somebody wrote it, and where.
#[derive(Debug, Clone)]
pub(crate) enum WrittenUrl {
    Core { template: String },
    Extension { name: &'static str, pattern: &'static str, file: &'static str, line: u32 },
}

impl WrittenUrl {
    pub(crate) fn of(extension: &'static str, entry: &UrlEntry) -> Self {
        Self::Extension { name: extension, pattern: entry.pattern, file: entry.file, line: entry.line }
    }

    /// The name of the extension, or none where the URL is the core's.
    pub(crate) fn extension(&self) -> Option<&'static str> {
        match self {
            Self::Core { .. } => None,
            Self::Extension { name, .. } => Some(name),
        }
    }
}

impl fmt::Display for WrittenUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Core { template } => write!(formatter, "`{template}` of the core"),
            Self::Extension { name, pattern, file, line } => {
                write!(formatter, "`{pattern}` of `{name}` ({file}:{line})")
            }
        }
    }
}

impl BootProblem {
    pub(crate) fn code(&self) -> &'static ErrorCode {
        match self {
            Self::DuplicateName { .. } => &RG0101,
            Self::UnknownReference { .. } => &RG0102,
            Self::InactiveReference { .. } => &RG0114,
            Self::UnknownChoice { .. } => &RG0113,
            Self::RequiredInactive { .. } => &RG0115,
            Self::Invalid { .. } => &RG0116,
            Self::Cycle { .. } => &RG0103,
            Self::Version { .. } => &RG0104,
            Self::SettingsOfUnknown { .. } => &RG0105,
            Self::Settings { .. } => &RG0106,
            Self::Declaration { .. } => &RG0107,
            Self::Pattern { .. } | Self::Patterns { .. } => &RG0108,
            Self::Call { .. } => &RG0111,
            Self::Claim { .. } => &RG0110,
            Self::Orchestrator { .. } => &RG0112,
            Self::Subscription { .. } => &RG0120,
            Self::EventType { .. } => &RG0121,
            Self::Clash { .. } | Self::Uncompared { .. } => &RG0109,
        }
    }
}

impl fmt::Display for BootProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.code().code)?;
        match self {
            Self::DuplicateName { first, second } => write!(
                formatter,
                "two extensions are named `{}`: {} and {}; rename one of them",
                first.name,
                Place(first),
                Place(second)
            ),
            Self::UnknownReference { metadata, argument, name } => write!(
                formatter,
                "`{}` ({}) has `{argument} = [\"{name}\"]`, and no extension of that name is in this build; add its crate to \
                 [dependencies], or correct the name",
                metadata.name,
                Place(metadata)
            ),
            Self::InactiveReference { metadata, argument, name } => write!(
                formatter,
                "`{extension}` ({place}) names `{name}` in `{argument}`, and `{name}` is linked, but not active; add it to \
                 `active` in the section [extensions] of the settings, or take `{extension}` out",
                extension = metadata.name,
                place = Place(metadata)
            ),
            Self::UnknownChoice { file, key, name, known } => write!(
                formatter,
                "{}, key `extensions.{key}`: no extension `{name}` is in this build; there are {}",
                file_or_settings(file.as_deref()),
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            ),
            Self::RequiredInactive { file, name } => write!(
                formatter,
                "{}, key `extensions.required`: `{name}` is not active; add it to `extensions.active`, or take it out of \
                 `extensions.required`",
                file_or_settings(file.as_deref())
            ),
            Self::Invalid { file, metadata, detail } => write!(
                formatter,
                "{}, section [extensions.{name}]: `{name}` does not accept it: {detail}",
                file_or_settings(file.as_deref()),
                name = metadata.name
            ),
            Self::Orchestrator { metadata, name, why } => {
                write!(formatter, "the orchestrator `{name}` of `{}` ({}) {why}", metadata.name, Place(metadata))
            }
            Self::Subscription { metadata, name, why } => {
                let name = if name.is_empty() { String::new() } else { format!(" `{name}`") };
                write!(formatter, "the subscription{name} of `{}` ({}): {why}", metadata.name, Place(metadata))
            }
            Self::EventType { metadata, kind, why } => write!(
                formatter,
                "`{name}` ({}) declares events of the type `{kind}`: {why}; its own are `{name}` and what begins with `{name}_`",
                Place(metadata),
                name = metadata.name
            ),
            Self::Cycle { extensions } => {
                let names: Vec<_> = extensions.iter().chain(extensions.first()).map(|metadata| metadata.name).collect();
                let places: Vec<_> = extensions.iter().map(|metadata| Place(metadata).to_string()).collect();
                write!(
                    formatter,
                    "extensions wait for each other: {} ({}); remove one of the `after` or `requires`",
                    names.join(" after "),
                    places.join(", ")
                )
            }
            Self::Version { metadata, requirement, found } => write!(
                formatter,
                "`{}` ({}) requires `{requirement}`, and this build has {found}; change one of the versions",
                metadata.name,
                Place(metadata)
            ),
            Self::SettingsOfUnknown { file, name } => write!(
                formatter,
                "{} has a section [extensions.{name}], and no extension of that name is in this build; remove the section, or \
                 correct the name",
                file_or_settings(file.as_deref())
            ),
            Self::Settings { file, key, detail } => {
                write!(formatter, "{}, key `{key}`: {detail}", file_or_settings(file.as_deref()))
            }
            Self::Declaration { metadata, method, fault } => {
                write!(formatter, "`{}()` of `{}` ({}) {fault}", method, metadata.name, Place(metadata))
            }
            Self::Call { metadata, called, provided_by } => {
                write!(formatter, "`{}` ({}) calls `{called}`, ", metadata.name, Place(metadata))?;
                match provided_by.as_slice() {
                    [] => {
                        write!(formatter, "and no extension of this build provides it; add the crate of one that does")
                    }
                    names => write!(
                        formatter,
                        "which {} provides, and does not require it; add `requires = [\"{}\"]`",
                        names.join(" or "),
                        names[0]
                    ),
                }
            }
            Self::Claim { metadata, tables } => write!(
                formatter,
                "the tables of `{name}` ({place}) would begin with `{name}_`, and so does what the core or the database \
                 has: {tables}; rename the extension",
                name = metadata.name,
                place = Place(metadata),
                tables = tables.join(", ")
            ),
            Self::Pattern { url, detail } => write!(formatter, "the pattern {url} {detail}"),
            Self::Patterns { count, detail } => {
                write!(formatter, "the {count} URL patterns of this build do not fit together: {detail}")
            }
            Self::Clash { one, other, path } => write!(
                formatter,
                "{one} and {other} both match `{path}`; let patterns begin with the name of their extension, or make one of \
                 the two narrower"
            ),
            Self::Uncompared { one, other, why } => {
                write!(formatter, "whether {one} and {other} can match one path cannot be told: {why}")
            }
        }
    }
}

fn file_or_settings(file: Option<&str>) -> &str {
    file.unwrap_or("the settings")
}

/// Where an extension is written.
struct Place<'a>(&'a Metadata);

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} in {}:{}", self.0.krate, self.0.file, self.0.line)
    }
}

/// Everything that is wrong, in a stable order.
#[derive(Debug)]
pub(crate) struct BootProblems(pub(crate) Vec<BootProblem>);

impl std::error::Error for BootProblems {}

impl fmt::Display for BootProblems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        lines.sort();
        let count = lines.len();
        write!(formatter, "the server cannot start, {count} problem{} found:", if count == 1 { "" } else { "s" })?;
        for line in lines {
            write!(formatter, "\n  {line}")?;
        }
        write!(formatter, "\n`rivetgun error CODE` tells more about a code")
    }
}
