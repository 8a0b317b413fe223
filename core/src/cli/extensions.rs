//! `rivetgun extensions list`

use super::{
    CliError,
    arguments::ExtensionsAction,
    output::{self, say},
};
use crate::{boot::Linked, extension::Metadata, http::ExtensionUrl, registry::Loaded, settings::Settings};
use serde_json::{Map, Value, json};

pub(super) fn extensions(settings: Settings, action: &ExtensionsAction) -> Result<(), CliError> {
    let linked = Linked::new(settings)?;
    let registry = linked.registry();
    let ExtensionsAction::List { json } = action;
    if *json {
        let active = registry.iter().map(|loaded| described(loaded));
        let inactive = registry.inactive().iter().map(|metadata| Value::from(of_metadata(metadata, "inactive")));
        return say(format!("{:#}", active.chain(inactive).collect::<Value>()));
    }
    let mut rows = vec![
        ["NAME", "VERSION", "CRATE", "STATE", "HOOKS", "URLS", "PIPELINES", "DESCRIPTION"].map(str::to_owned).to_vec(),
    ];
    for loaded in registry.iter() {
        let counts = [loaded.urls.len().to_string(), loaded.pipelines.len().to_string()];
        rows.push(row(loaded.metadata, state(loaded), counts));
    }
    // What is not active is not asked what it has.
    rows.extend(registry.inactive().iter().map(|metadata| row(metadata, "inactive", ["-", "-"].map(str::to_owned))));
    if rows.len() == 1 {
        return say("no extension is linked into this build; add one to [dependencies] and rebuild");
    }
    say(output::table(&rows))
}

/// What the settings make of an extension that is active.
fn state(loaded: &Loaded) -> &'static str {
    if loaded.is_required { "required" } else { "active" }
}

fn row(metadata: &Metadata, state: &str, [urls, pipelines]: [String; 2]) -> Vec<String> {
    vec![
        metadata.name.to_owned(),
        metadata.version.to_owned(),
        metadata.krate.to_owned(),
        state.to_owned(),
        metadata.hooks().count().to_string(),
        urls,
        pipelines,
        metadata.description.to_owned(),
    ]
}

fn of_metadata(metadata: &Metadata, state: &str) -> Map<String, Value> {
    let fields = json!({
        "name": metadata.name,
        "version": metadata.version,
        "description": metadata.description,
        "crate": metadata.krate,
        "file": metadata.file,
        "line": metadata.line,
        "state": state,
        "hooks": metadata.hooks().collect::<Vec<_>>(),
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn described(loaded: &Loaded) -> Value {
    let mut fields = of_metadata(loaded.metadata, state(loaded));
    let urls = loaded.urls.iter().map(ExtensionUrl::of).collect::<Vec<_>>();
    let pipelines = loaded.pipelines.iter().map(|pipeline| pipeline.metadata().name).collect::<Vec<_>>();
    let migrations = loaded.migrations.iter().map(|migration| migration.name().to_owned()).collect::<Vec<_>>();
    for (key, value) in [("urls", json!(urls)), ("pipelines", json!(pipelines)), ("migrations", json!(migrations))] {
        fields.insert(key.to_owned(), value);
    }
    fields.into()
}
