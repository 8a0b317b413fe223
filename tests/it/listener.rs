//! The extension that hears of events, where the settings tell it to, and does with some what their object's name says.

use crate::probe::CreateRows;
use rivetgun::prelude::{
    sea_orm::{ConnectionTrait, DbBackend, Statement},
    *,
};
use std::time::Duration;

#[derive(Debug, Default)]
struct Listener;

/// What it subscribes to, by the names of the subscriptions.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct ListenerSettings {
    watch: std::collections::BTreeMap<String, String>,
    from_the_beginning: bool,
}

async fn heard(cx: ExtensionContext) -> Result<Json<Vec<Value>>> {
    crate::probe::rows(&cx, "listener").await
}

#[extension(name = "listener", version = "1.0.0", description = "Hears of events", settings = ListenerSettings)]
impl Extension for Listener {
    fn urls(&self) -> Urls {
        urls! { r"/listener/rows/?" => get(heard) }
    }

    fn migrations(&self) -> Migrations {
        Migrations::new().with(CreateRows("listener_rows"))
    }

    fn subscriptions(&self, cx: &SetupContext<'_>) -> Subscriptions {
        let ListenerSettings { watch, from_the_beginning } = cx.settings::<Self>();
        watch.iter().fold(Subscriptions::new(), |all, (name, filter)| {
            let all = all.named(name.as_str(), filter);
            if *from_the_beginning { all.from_the_beginning() } else { all }
        })
    }

    async fn handle_event(&self, cx: &EventContext, event: &Event) -> Result<()> {
        let object: Value = event.object().map_err(|error| Error::failed(error.to_string()))?;
        let name = object["name"].as_str().unwrap_or_default();
        match name {
            name if name.strip_prefix("waits for ").is_some_and(|file| !std::path::Path::new(file).exists()) => {
                return Err(Error::failed("it is not there"));
            }
            "fails once" if cx.attempt() == 1 => return Err(Error::failed("once")),
            "fails" => return Err(Error::failed("always")),
            "is refused" => return Err(veto("never")),
            "panics once" if cx.attempt() == 1 => panic!("once"),
            "hangs" => std::future::pending::<()>().await,
            "blocks" => loop {
                std::thread::park();
            },
            "is slow" => tokio::time::sleep(Duration::from_millis(300)).await,
            _ => {}
        }
        let blocks = name == "locks the first node and blocks";
        if blocks {
            // At the next full second, so that several are at it at once.
            let millis = Duration::from_millis(1_000 - u64::from(cx.now().timestamp_subsec_millis()));
            tokio::time::sleep(millis).await;
        }
        let tx = cx.transaction().await?;
        if blocks {
            tx.lock_node(1).await?;
        }
        let sql = match tx.get_database_backend() {
            DbBackend::Postgres => "INSERT INTO listener_rows (event, subject) VALUES ($1, $2)",
            _ => "INSERT INTO listener_rows (event, subject) VALUES (?, ?)",
        };
        let Event { sequence, kind, action, key, .. } = event;
        let told = format!("{sequence} {kind}.{action}.{key}");
        let values = [cx.subscription().into(), told.into()];
        tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values)).await?;
        match name {
            "hangs in a transaction" => std::future::pending::<()>().await,
            "blocks in a transaction" => loop {
                std::thread::park();
            },
            "commits late" => tokio::time::sleep(Duration::from_secs(1)).await,
            _ => {}
        }
        let committed =
            tx.commit().await.map_err(|error| if name == "commits late" { veto(error.to_string()) } else { error });
        if blocks {
            loop {
                std::thread::park();
            }
        }
        committed
    }
}
