//! On PostgreSQL replicas tell each other that the log has grown. Who misses that looks every few seconds all the same.

use crate::{server::Server, supervise};
use sea_orm::{ConnectionTrait, DbBackend, sqlx::postgres::PgListener};
use std::{sync::Arc, time::Duration};

const CHANNEL: &str = "rivetgun_events";
/// A notification a commit would be many: so long they are gathered.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) fn start(server: &Arc<Server>) {
    if server.store.dialect() == DbBackend::Postgres {
        supervise::spawn(server, "telling of events", keep_telling);
        supervise::spawn(server, "hearing of events", keep_hearing);
    }
}

async fn keep_telling(server: Arc<Server>) -> Result<(), String> {
    let mut own = server.store.bell.own();
    loop {
        // Its other end is in the server.
        drop(own.changed().await);
        server
            .store
            .reader()
            .execute_unprepared(&format!("NOTIFY {CHANNEL}"))
            .await
            .map_err(|error| error.to_string())?;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn keep_hearing(server: Arc<Server>) -> Result<(), String> {
    let hear = async {
        let mut listener = PgListener::connect(server.store.url()).await?;
        listener.listen(CHANNEL).await?;
        loop {
            // Nothing comes where the connection was lost; it is a new one then, and what was missed is looked for.
            listener.try_recv().await?;
            server.store.bell.ring_from_afar();
        }
    };
    let lost: Result<std::convert::Infallible, sea_orm::sqlx::Error> = hear.await;
    match lost {
        Ok(never) => match never {},
        Err(error) => Err(error.to_string()),
    }
}
