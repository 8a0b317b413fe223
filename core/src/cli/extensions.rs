//! `rivetgun extensions list`

use super::{
    CliError,
    arguments::ExtensionsAction,
    output::{self, say},
};
use crate::{boot::Linked, http::ExtensionUrl, settings::Settings};
use serde_json::json;

pub(super) fn extensions(settings: Settings, action: &ExtensionsAction) -> Result<(), CliError> {
    let linked = Linked::new(settings)?;
    let ExtensionsAction::List { json } = action;
    if *json {
        let listed: Vec<_> = linked
            .registry()
            .iter()
            .map(|loaded| {
                let metadata = loaded.metadata;
                json!({
                    "name": metadata.name,
                    "version": metadata.version,
                    "description": metadata.description,
                    "crate": metadata.krate,
                    "file": metadata.file,
                    "line": metadata.line,
                    "hooks": metadata.hooks().collect::<Vec<_>>(),
                    "urls": loaded.urls.iter().map(ExtensionUrl::of).collect::<Vec<_>>(),
                    "pipelines": loaded.pipelines.iter().map(|pipeline| pipeline.metadata().name).collect::<Vec<_>>(),
                    "migrations": loaded.migrations.iter().map(|migration| migration.name().to_owned()).collect::<Vec<_>>(),
                })
            })
            .collect();
        return say(format!("{:#}", serde_json::Value::from(listed)));
    }
    let mut rows =
        vec![["NAME", "VERSION", "CRATE", "HOOKS", "URLS", "PIPELINES", "DESCRIPTION"].map(str::to_owned).to_vec()];
    for loaded in linked.registry().iter() {
        let metadata = loaded.metadata;
        rows.push(vec![
            metadata.name.to_owned(),
            metadata.version.to_owned(),
            metadata.krate.to_owned(),
            metadata.hooks().count().to_string(),
            loaded.urls.len().to_string(),
            loaded.pipelines.len().to_string(),
            metadata.description.to_owned(),
        ]);
    }
    if rows.len() == 1 {
        return say("no extension is linked into this build; add one to [dependencies] and rebuild");
    }
    say(output::table(&rows))
}
