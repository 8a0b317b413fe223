//! The arguments of `#[extension(…)]`. Each has a type that checks itself; here is only what concerns several of them.

use darling::FromMeta;
use proc_macro2::TokenStream;
use syn::{Expr, LitStr, Path};

use super::entries::{self, Entry};
use super::name::ExtensionName;
use super::priority::Priority;
use super::requirement::Requirement;
use super::settings::Settings;
use super::version::Version;
use crate::given::Given;
use crate::literal;
use crate::mistakes::Mistakes;

const KNOWN: &[&str] = &["name", "version", "description", "url", "after", "requires", "priority", "settings", "crate"];

/// What `#[extension]` was told. What is wrong was reported, and is absent.
pub(crate) struct Arguments {
    pub(super) name: Option<ExtensionName>,
    pub(super) version: Option<Version>,
    pub(super) description: Option<LitStr>,
    pub(super) url: Option<LitStr>,
    pub(super) after: Vec<ExtensionName>,
    pub(super) requires: Vec<Requirement>,
    pub(super) priority: Priority,
    pub(super) settings: Option<Settings>,
    pub(super) krate: Path,
}

impl Arguments {
    pub(super) fn read(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut given = Given::read(tokens, KNOWN, mistakes);
        let missing = "an extension needs a name: `#[extension(name = \"additional_logger\")]`";
        let arguments = Self {
            name: given.require("name", missing, mistakes),
            version: given.take("version", mistakes),
            description: given.take("description", mistakes).map(|Text(text)| text),
            url: given.take("url", mistakes).map(|Text(text)| text),
            after: entries::take(&mut given, "after", mistakes),
            requires: entries::take(&mut given, "requires", mistakes),
            priority: given.take("priority", mistakes).unwrap_or_default(),
            settings: given.take("settings", mistakes),
            krate: given.framework(mistakes),
        };
        arguments.report_itself(mistakes);
        arguments
    }

    /// The shortest of all cycles. The longer ones are found at boot, where all extensions are known.
    fn report_itself(&self, mistakes: &mut Mistakes) {
        let Some(name) = &self.name else { return };
        for itself in self.after.iter().filter(|other| other.key() == name.key()) {
            mistakes.report(itself, "an extension cannot come after itself");
        }
        for itself in self.requires.iter().filter(|other| other.key() == name.key()) {
            mistakes.report(itself, "an extension cannot require itself");
        }
    }
}

/// Any string.
struct Text(LitStr);

impl FromMeta for Text {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        literal::string(value).map(Self)
    }
}
