//! How the subscriptions of extensions stand, for `/extensions`.

use crate::{server::Server, store};
use sea_orm::DbErr;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A subscription of an extension.
#[derive(Serialize, ToSchema)]
pub(super) struct ExtensionSubscription {
    /// Its name; empty for one without a name.
    name: String,
    /// The events that it takes; `null` where this build does not know it any more.
    filter: Option<String>,
    /// Up to this sequence number every event was handled, or is kept for it.
    position: i64,
    /// How many sequence numbers the log is ahead of that.
    behind: u64,
    /// How many events are tried again, or wait for one that is.
    waiting: u64,
    /// How many events were given up: `/extensions/{name}/dead_letters` lists them.
    dead: u64,
}

/// All subscriptions that the database knows, by extension.
pub(super) async fn read_all(server: &Server) -> Result<BTreeMap<String, Vec<ExtensionSubscription>>, DbErr> {
    let reader = server.store.reader();
    let end = store::events::end(reader).await?;
    let mut all = BTreeMap::<String, Vec<ExtensionSubscription>>::new();
    for standing in store::subscriptions::standings(reader).await? {
        let (extension, name) = (standing.id.extension, standing.id.name);
        let declared = server.registry.find(&extension).into_iter().flat_map(|loaded| &loaded.subscriptions);
        let filter = declared.filter(|(declared, _)| *declared == name).find_map(|(_, it)| it.filter.as_ref().ok());
        let subscription = ExtensionSubscription {
            filter: filter.map(ToString::to_string),
            position: standing.position,
            behind: u64::try_from(end - standing.position).unwrap_or_default(),
            waiting: standing.waiting,
            dead: standing.dead,
            name,
        };
        all.entry(extension).or_default().push(subscription);
    }
    Ok(all)
}
