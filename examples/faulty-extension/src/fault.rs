//! The faults, and the words for them in names.

use rivetgun::prelude::{
    sea_orm::{ConnectionTrait, DbBackend},
    *,
};

/// What a name wants done in a hook: the part behind `HOOK: `, up to a comma.
fn wanted_in<'n>(hook: &str, name: &'n str) -> Option<&'n str> {
    name.strip_prefix(hook)?.strip_prefix(": ")?.split(',').next()
}

/// Panics while there is no future yet, where a name wants that.
pub(crate) fn panic_early(hook: &str, names: &[String]) {
    if names.iter().any(|name| wanted_in(hook, name) == Some("early panic")) {
        panic!("the inner secret of the faulty extension");
    }
}

/// Misbehaves in all other ways that names may want.
pub(crate) async fn misbehave(db: &Db, hook: &str, names: &[String]) -> Result<()> {
    for fault in names.iter().filter_map(|name| wanted_in(hook, name)) {
        match fault {
            "veto" => return Err(veto("the faulty extension says no")),
            "error" => return Err(Error::failed("the inner secret of the faulty extension")),
            "late panic" => {
                tokio::task::yield_now().await;
                panic!("the inner secret of the faulty extension");
            }
            "slow" if db.get_database_backend() == DbBackend::Postgres => {
                db.execute_unprepared("SELECT pg_sleep(60)").await?;
            }
            "hang" | "slow" => std::future::pending().await,
            "bad statement" => {
                db.execute_unprepared("SELECT * FROM faulty_table_that_is_not_there").await?;
            }
            "swallowed statement" => {
                drop(
                    db.execute_unprepared("INSERT INTO faulty_calls (id, hook, names) VALUES (NULL, NULL, NULL)").await,
                );
            }
            "foreign statement" => {
                db.execute_unprepared("DELETE FROM nodes").await?;
            }
            _ => {}
        }
    }
    Ok(())
}
