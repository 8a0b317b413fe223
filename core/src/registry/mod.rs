//! Collects what was linked, orders it, and checks all of it at once. Nobody else reads `inventory`.

mod background;
mod calls;
mod choice;
mod events;
mod health;
mod orchestrators;
mod order;
mod problem;
mod subscriptions;

pub(crate) use background::{Background, BackgroundTask, ShownTask};
pub(crate) use choice::Choice;
pub(crate) use health::{Condition, ExtensionStatus};
pub(crate) use orchestrators::LOCAL;
pub(crate) use problem::{BootProblem, BootProblems, WrittenUrl};

use calls::Party;

use crate::{
    contain::{self, Parts},
    extension::{
        Called, Containment, Declared, DeclaredType, Demo, DynExtension, DynPipeline, Fence, Metadata, OnFault,
        Orchestrator, Peer, Provided, Registration, SectionError, SetupContext, UrlEntry,
    },
    model::{Cluster, Node},
    settings::Limits,
    store::{Migrator, Owners, claims_of},
};
use sea_orm_migration::MigrationTrait;
use std::{
    any::{Any, TypeId},
    collections::BTreeMap,
    sync::Arc,
    time::Duration,
};

/// The extensions of this build: those that are active, in the total order.
pub(crate) struct Registry {
    extensions: Vec<Arc<Loaded>>,
    /// Those that are linked and not active, by name. Nothing is known of them but what stands here.
    inactive: Vec<&'static Metadata>,
    /// For each of them who answers its calls, by trait.
    calls: Vec<BTreeMap<TypeId, usize>>,
}

/// An extension with all that was found out about it at boot.
pub(crate) struct Loaded {
    pub(crate) metadata: &'static Metadata,
    /// Its place in the total order.
    pub(crate) place: usize,
    extension: Box<dyn DynExtension>,
    pub(crate) urls: Vec<UrlEntry>,
    pub(crate) migrations: Vec<Arc<dyn MigrationTrait>>,
    pub(crate) pipelines: Vec<Arc<dyn DynPipeline>>,
    pub(crate) provided: Vec<Provided>,
    calls: Vec<Called>,
    pub(crate) orchestrators: Vec<(&'static str, Arc<dyn Orchestrator>)>,
    pub(crate) events: Vec<DeclaredType>,
    pub(crate) subscriptions: Vec<(String, Declared)>,
    settings: Arc<dyn Any + Send + Sync>,
    pub(crate) on_fault: OnFault,
    pub(crate) hook_timeout: Duration,
    /// Whether the server does not start without it.
    pub(crate) is_required: bool,
    /// How it is.
    pub(crate) condition: Condition,
    /// What it does beside answering calls.
    pub(crate) background: Background,
}

/// How far an extension is enabled in a piece of work.
#[derive(Debug, Clone)]
pub(crate) enum Reach {
    /// For the cluster, and so for all nodes.
    Cluster,
    /// For these nodes alone, which enable it themselves.
    Nodes(Arc<[Node]>),
}

impl Reach {
    /// Those of `nodes`, the nodes of the work, that are reached.
    pub(crate) fn of<'n>(&'n self, nodes: &'n [Node]) -> &'n [Node] {
        match self {
            Self::Cluster => nodes,
            Self::Nodes(own) => own,
        }
    }
}

/// Why an extension that is enabled cannot take part in work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lack {
    NotInBuild,
    Inactive,
    Failed,
}

impl Lack {
    /// What is amiss, and what to do; behind the name of the extension.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::NotInBuild => "not in this build: run one that has it, or disable it",
            Self::Inactive => {
                "not active: add it to `active` in the section `[extensions]` of the settings, or disable it"
            }
            Self::Failed => "failed: `GET /extensions` tells why; mend that and start the server anew, or disable it",
        }
    }
}

/// What the settings say about extensions.
pub(crate) struct Sections<'a> {
    /// The file that they come from, for messages.
    pub(crate) file: Option<&'a str>,
    pub(crate) sections: &'a BTreeMap<String, toml::Table>,
    pub(crate) choice: Choice<'a>,
    /// How long a hook may take where its section does not say.
    pub(crate) hook_timeout: Duration,
    /// How long each method may take that is called while the server is put together.
    pub(crate) declaration_timeout: Duration,
}

impl Registry {
    /// The extensions that are linked into this binary, and everything that is wrong with them and their settings. Those
    /// that could be loaded are there all the same, so that their own problems can be found too.
    pub(crate) fn linked(sections: &Sections<'_>) -> (Self, Vec<BootProblem>) {
        Self::of(inventory::iter::<Registration>().collect(), sections)
    }

    pub(crate) fn of(mut found: Vec<&Registration>, sections: &Sections<'_>) -> (Self, Vec<BootProblem>) {
        // The linker's order differs between profiles; from here on there is only ours.
        found.sort_by_key(|registration| {
            let metadata = registration.metadata;
            (metadata.name, metadata.krate, metadata.file, metadata.line)
        });
        let metadata: Vec<&'static Metadata> = found.iter().map(|registration| registration.metadata).collect();
        let mut problems = Vec::new();
        problems.extend(sections.choice.problems(sections.file, &metadata));
        let is_active = |metadata: &&'static Metadata| sections.choice.is_active(metadata.name);
        let (active, inactive): (Vec<_>, Vec<_>) = metadata.iter().copied().partition(is_active);
        found.retain(|registration| is_active(&registration.metadata));
        let order = order::total_order(&active, &inactive, &mut problems);
        problems.extend(active.iter().filter_map(|metadata| claim(metadata)));
        for name in sections.sections.keys().filter(|name| !metadata.iter().any(|known| known.name == **name)) {
            problems
                .push(BootProblem::SettingsOfUnknown { file: sections.file.map(str::to_owned), name: name.clone() });
        }
        let mut extensions = Vec::new();
        for (place, index) in order.into_iter().enumerate() {
            match Loaded::of(found[index], place, sections) {
                Ok(loaded) => extensions.push(Arc::new(loaded)),
                Err(found) => problems.extend(found),
            }
        }
        problems.extend(orchestrators::problems(&extensions));
        problems.extend(extensions.iter().flat_map(|loaded| subscriptions::problems(loaded)));
        problems.extend(events::problems(&extensions, metadata.iter().map(|metadata| metadata.name)));
        // An extension that could not be loaded has been told of; who would call it is no problem of its own.
        let calls = if problems.is_empty() { resolve_calls(&extensions, &mut problems) } else { Vec::new() };
        (Self { extensions, inactive, calls }, problems)
    }

    /// What each extension that is linked into this binary declares for the demo, in the order of their names.
    pub(crate) fn demos() -> Result<BTreeMap<&'static str, Demo>, BootProblems> {
        let (mut demos, mut problems) = (BTreeMap::new(), Vec::new());
        // There are no settings yet.
        let limit = Limits::default().initialize_timeout();
        for registration in inventory::iter::<Registration> {
            let metadata = registration.metadata;
            match contain::demo(*registration, limit) {
                Ok(demo) => drop(demos.insert(metadata.name, demo)),
                Err((method, fault)) => {
                    problems.push(BootProblem::Declaration { metadata, method, fault: fault.to_string() });
                }
            }
        }
        if problems.is_empty() { Ok(demos) } else { Err(BootProblems(problems)) }
    }

    /// All extensions as contexts need them, each fenced in among `owners`.
    pub(crate) fn peers(&self, owners: &Arc<Owners>) -> Arc<[Peer]> {
        let peer = |(loaded, calls): (&Arc<Loaded>, &BTreeMap<TypeId, usize>)| Peer {
            metadata: loaded.metadata,
            settings: Arc::clone(&loaded.settings),
            fence: Arc::new(Fence::new(loaded.metadata.name, Arc::clone(owners))),
            provided: loaded.provided.clone(),
            events: loaded.events.clone(),
            calls: calls.clone(),
            limit: loaded.hook_timeout,
            failed: loaded.condition.shared_failure(),
        };
        self.extensions.iter().zip(&self.calls).map(peer).collect()
    }

    /// All extensions that are active, in the total order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Loaded>> {
        self.extensions.iter()
    }

    /// Those that are linked and not active, by name.
    pub(crate) fn inactive(&self) -> &[&'static Metadata] {
        &self.inactive
    }

    pub(crate) fn is_inactive(&self, name: &str) -> bool {
        self.inactive.iter().any(|metadata| metadata.name == name)
    }

    /// The extensions that this one names in `after` and `requires`.
    pub(crate) fn before(&self, loaded: &Loaded) -> impl Iterator<Item = &Arc<Loaded>> {
        let requires = loaded.metadata.requires.iter().map(|required| order::name_of(required));
        let names = loaded.metadata.after.iter().copied().chain(requires);
        names.filter_map(|name| self.find(name))
    }

    /// The extensions that this one names in `requires`.
    pub(crate) fn required_by(&self, loaded: &Loaded) -> impl Iterator<Item = &Arc<Loaded>> {
        loaded.metadata.requires.iter().filter_map(|required| self.find(order::name_of(required)))
    }

    /// The types of events that each extension declares.
    pub(crate) fn event_types(&self) -> impl Iterator<Item = (&'static str, &[DeclaredType])> {
        self.extensions.iter().map(|loaded| (loaded.metadata.name, loaded.events.as_slice()))
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Loaded>> {
        self.extensions.iter().find(|loaded| loaded.metadata.name == name)
    }

    /// The extensions that take part in work on these nodes of a cluster, in the total order. One that has failed takes no
    /// part; where it would have to, [`Registry::lacking`] tells.
    pub(crate) fn enabled_for(&self, cluster: &Cluster, nodes: &[Node]) -> Vec<(&Arc<Loaded>, Reach)> {
        let reach = |loaded: &Loaded| {
            let is_it = |name: &String| name == loaded.metadata.name;
            if cluster.extensions.iter().any(is_it) {
                return Some(Reach::Cluster);
            }
            let own: Vec<Node> = nodes.iter().filter(|node| node.extensions.iter().any(is_it)).cloned().collect();
            (!own.is_empty()).then(|| Reach::Nodes(own.into()))
        };
        let available = self.extensions.iter().filter(|loaded| loaded.is_available());
        available.filter_map(|loaded| Some((loaded, reach(loaded)?))).collect()
    }

    /// The names in the total order, without repetition; names that are not in this build come last, by name.
    pub(crate) fn in_order(&self, names: Vec<String>) -> Vec<String> {
        let place =
            |name: &str| self.extensions.iter().position(|loaded| loaded.metadata.name == name).unwrap_or(usize::MAX);
        let mut names = crate::model::without_repetition(names);
        names.sort_by_cached_key(|name| (place(name), name.clone()));
        names
    }

    /// The names of those that cannot take part in work, sorted, each with what is amiss with it.
    pub(crate) fn lacking<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> BTreeMap<String, Lack> {
        let lack = |name: &String| match self.find(name) {
            Some(loaded) if loaded.is_available() => None,
            Some(_) => Some(Lack::Failed),
            None if self.is_inactive(name) => Some(Lack::Inactive),
            None => Some(Lack::NotInBuild),
        };
        names.into_iter().filter_map(|name| Some((name.clone(), lack(name)?))).collect()
    }

    /// The names that are not in this build, or not active, sorted.
    pub(crate) fn missing<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> Vec<String> {
        let mut missing: Vec<String> = names.into_iter().filter(|name| self.find(name).is_none()).cloned().collect();
        missing.sort();
        missing.dedup();
        missing
    }
}

fn resolve_calls(extensions: &[Arc<Loaded>], problems: &mut Vec<BootProblem>) -> Vec<BTreeMap<TypeId, usize>> {
    let parties: Vec<Party<'_>> = extensions.iter().map(|loaded| loaded.party()).collect();
    calls::resolve(&parties, problems)
}

/// The prefix of an extension's tables must not begin those of the core.
fn claim(metadata: &'static Metadata) -> Option<BootProblem> {
    let tables = claims_of(metadata.name);
    (!tables.is_empty()).then_some(BootProblem::Claim { metadata, tables })
}

impl Loaded {
    fn of(registration: &Registration, place: usize, sections: &Sections<'_>) -> Result<Self, Vec<BootProblem>> {
        let metadata = registration.metadata;
        let mut section = sections.sections.get(metadata.name).cloned().unwrap_or_default();
        let containment = Containment::take_from(&mut section);
        let assembled = contain::assemble(*registration, section, sections.declaration_timeout);
        let Parts {
            extension,
            settings,
            refusal,
            urls,
            migrations,
            pipelines,
            provides,
            calls,
            orchestrators,
            events,
            subscriptions,
        } = assembled
            .map_err(|(method, fault)| vec![BootProblem::Declaration { metadata, method, fault: fault.to_string() }])?;
        let file = || sections.file.map(str::to_owned);
        let refusal = refusal.map(|detail| BootProblem::Invalid { file: file(), metadata, detail });
        match (containment, settings, refusal) {
            (Ok(containment), Ok(settings), None) => Ok(Self {
                metadata,
                place,
                extension,
                urls,
                migrations,
                pipelines,
                provided: provides,
                calls,
                orchestrators,
                events,
                subscriptions,
                settings,
                on_fault: containment.on_fault,
                hook_timeout: containment.hook_timeout(sections.hook_timeout),
                is_required: sections.choice.is_required(metadata.name),
                condition: Condition::default(),
                background: Background::default(),
            }),
            (containment, settings, refusal) => {
                let errors = containment.err().into_iter().chain(settings.err()).flatten();
                let problem = |error: SectionError| BootProblem::Settings {
                    file: file(),
                    key: format!("extensions.{}.{}", metadata.name, error.key),
                    detail: error.detail,
                };
                Err(errors.map(problem).chain(refusal).collect())
            }
        }
    }

    fn party(&self) -> Party<'_> {
        let provides = self.provided.iter().map(|provided| provided.called).collect();
        Party { metadata: self.metadata, provides, calls: &self.calls }
    }

    /// The extension itself, for `contain` and nobody else.
    pub(crate) fn extension(&self) -> &dyn DynExtension {
        &*self.extension
    }

    /// Whether it may be called: it is started, and has not failed.
    pub(crate) fn is_available(&self) -> bool {
        self.condition.is_available()
    }

    /// What it is given while the server is put together.
    pub(crate) fn setup(&self) -> SetupContext<'_> {
        SetupContext { metadata: self.metadata, settings: &*self.settings }
    }

    /// Its migrations as the store applies them.
    pub(crate) fn migrator(&self) -> Migrator {
        Migrator {
            owner: self.metadata.name.to_owned(),
            history_table: format!("{}_migrations", self.metadata.name),
            migrations: self.migrations.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_whose_prefix_begins_tables_of_the_core_cannot_be_in_a_build() {
        static NODE: Metadata = Metadata {
            name: "node",
            version: "1.0.0",
            description: "",
            url: "",
            krate: "a-crate",
            file: "src/lib.rs",
            line: 9,
            priority: 0,
            after: &[],
            requires: &[],
            overrides: &[],
        };
        let problem = claim(&NODE).expect("a problem").to_string();
        for part in ["RG0110", "`node`", "a-crate in src/lib.rs:9", "node_macs", "rename the extension"] {
            assert!(problem.contains(part), "{part} in {problem}");
        }
    }
}
