//! The contract suite: what every extension must do, checked against one that runs.
//!
//! One line in a test of the extension's crate runs all checks, on SQLite and PostgreSQL, and reports everything that it
//! finds together:
//!
//! ```text
//! #[test]
//! fn it_keeps_the_contract() {
//!     rivetgun::testkit::Contract::of::<AdditionalLogger>().check();
//! }
//! ```
//!
//! An extension that needs settings, or attributes to make data of, is given them: [`Contract::settings`],
//! [`Contract::attributes`], [`Contract::hardware`]. The settings of its [`Demo`](crate::prelude::Demo) it has anyway, with the
//! files that they speak of.
//!
//! The checks are gathered by `linkme`; each file of this folder adds its own.

mod data;
mod demo;
mod garbage;
mod life;
mod metadata;
mod migrations;
mod sample;

use super::TestServer;
use crate::{
    cli::demo::lay_out,
    extension::{Demo, Described, Metadata},
    model::Object,
    registry::Registry,
    server::Clock,
};
use chrono::DateTime;
use futures_util::future::LocalBoxFuture;
use linkme::distributed_slice;
use serde_json::Value;
use std::{cell::RefCell, path::Path};

/// How long a hook may take unless the settings say otherwise, in milliseconds.
const HOOK_LIMIT: i64 = 1_000;

/// Every check of the suite.
#[distributed_slice]
pub(crate) static CHECKS: [Check];

/// One check. It has a server of its own.
pub(crate) struct Check {
    /// What is checked, as a sentence about the extension.
    pub(crate) title: &'static str,
    pub(crate) run: for<'a> fn(&'a Subject) -> LocalBoxFuture<'a, ()>,
}

/// Adds a check to the suite.
macro_rules! check {
    ($name:ident = $title:literal, $run:path) => {
        #[expect(unsafe_code, reason = "linkme places the static in a section of its own")]
        #[linkme::distributed_slice(super::CHECKS)]
        static $name: super::Check = super::Check { title: $title, run: |subject| Box::pin($run(subject)) };
    };
}
use check;

/// The extension under check, in a server.
pub(crate) struct Subject {
    pub(crate) metadata: &'static Metadata,
    pub(crate) server: TestServer,
    demo: Demo,
    attributes: Object,
    hardware: Object,
    findings: RefCell<Vec<String>>,
}

impl Subject {
    /// Notes what is not as it must be.
    pub(crate) fn find(&self, finding: impl Into<String>) {
        self.findings.borrow_mut().push(finding.into());
    }
}

/// The contract, to be checked for one extension.
#[derive(Debug, Clone)]
pub struct Contract {
    metadata: &'static Metadata,
    settings: String,
    attributes: Object,
    hardware: Object,
}

impl Contract {
    /// The contract as the extension `E` must keep it.
    #[must_use]
    pub fn of<E: Described>() -> Self {
        Self { metadata: E::METADATA, settings: String::new(), attributes: Object::new(), hardware: Object::new() }
    }

    /// Runs the checks with these settings, the text of a settings file.
    #[must_use]
    pub fn settings(self, settings: &str) -> Self {
        Self { settings: settings.to_owned(), ..self }
    }

    /// Makes data of these attributes of the cluster, beside those of the suite.
    ///
    /// # Panics
    /// When it is not an object.
    #[must_use]
    pub fn attributes(self, attributes: Value) -> Self {
        Self { attributes: object(attributes), ..self }
    }

    /// Gives the nodes this hardware (`meta`), in place of a disk and an interface.
    ///
    /// # Panics
    /// When it is not an object.
    #[must_use]
    pub fn hardware(self, hardware: Value) -> Self {
        Self { hardware: object(hardware), ..self }
    }

    /// Runs every check, on SQLite and on PostgreSQL (see [`on_both_databases`](super::on_both_databases)).
    ///
    /// # Panics
    /// When the extension does not keep the contract: with everything that was found.
    #[track_caller]
    pub fn check(self) {
        let mut demos = Registry::demos().unwrap_or_else(|problems| panic!("{problems}"));
        let demo = demos.remove(self.metadata.name).unwrap_or_default();
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        let settings = self.settings_with(&demo, dir.path());
        let findings = RefCell::new(Vec::new());
        let mut checks: Vec<&Check> = CHECKS.iter().collect();
        checks.sort_by_key(|check| check.title);
        for check in checks {
            // The time stands still, so that what differs does so for another reason.
            let clock = Clock::of(|| DateTime::from_timestamp_nanos(1_750_000_000_000_000_000));
            super::on_both_with(&settings, &clock, async |server| {
                let subject = Subject {
                    metadata: self.metadata,
                    attributes: self.attributes.clone(),
                    hardware: self.hardware.clone(),
                    demo: demo.clone(),
                    findings: RefCell::default(),
                    server,
                };
                (check.run)(&subject).await;
                let found = subject.findings.take().into_iter();
                let database = subject.server.database();
                findings.borrow_mut().extend(found.map(|finding| (check.title, database, finding)));
            });
        }
        let findings = findings.into_inner();
        assert!(findings.is_empty(), "{}", told(self.metadata.name, findings));
    }

    /// The settings, with those of the demo and a time limit for the hooks where they do not say.
    fn settings_with(&self, demo: &Demo, dir: &Path) -> String {
        let of_demo = lay_out(demo, dir).unwrap_or_else(|error| panic!("{error}"));
        let mut settings: toml::Table =
            self.settings.parse().unwrap_or_else(|error| panic!("the settings are not TOML: {error}"));
        let extensions = settings.entry("extensions").or_insert_with(|| toml::Value::Table(toml::Table::new()));
        let section = extensions.as_table_mut().map(|extensions| {
            extensions.entry(self.metadata.name).or_insert_with(|| toml::Value::Table(toml::Table::new()))
        });
        if let Some(toml::Value::Table(section)) = section {
            for (key, value) in of_demo.into_iter().chain([("hook_timeout_ms".to_owned(), HOOK_LIMIT.into())]) {
                section.entry(key).or_insert(value);
            }
        }
        settings.to_string()
    }
}

/// What was found, once for both databases where it is the same.
fn told(extension: &str, findings: Vec<(&str, &str, String)>) -> String {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for (title, database, finding) in findings {
        let line = format!("{title}: {finding}");
        match lines.iter_mut().find(|(known, _)| *known == line) {
            Some((_, databases)) => databases.push(database),
            None => lines.push((line, vec![database])),
        }
    }
    let lines = lines.into_iter().map(|(line, databases)| format!("\n  {line} ({})", databases.join(", ")));
    format!("`{extension}` does not keep the contract:{}", lines.collect::<String>())
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is not an object"),
    }
}
