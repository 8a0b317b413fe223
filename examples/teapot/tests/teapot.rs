//! The extension in a whole server, on SQLite and, where it is installed, on PostgreSQL.

use rivetgun::{
    prelude::json,
    testkit::{Contract, on_both_databases},
};
use teapot::Teapot;

/// A thousand degrees a second.
const FAST: &str = "[extensions.teapot]\ninterval_ms = 1";

#[test]
fn it_keeps_the_contract() {
    Contract::of::<Teapot>().check();
}

#[test]
fn it_is_a_teapot_of_version_t800() {
    on_both_databases("", async |server| {
        let teapot = server.get("/teapot").await;
        assert_eq!(teapot.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!((teapot.status(), teapot.text().as_str()), (418, "I am teapot"));
        assert_eq!(server.get("/teapot/version").await.expect(200), "T800");
        server.post("/teapot/version", json!({})).await.expect(405);
    });
}

#[test]
fn the_water_boils_in_the_background_and_goes_on_boiling() {
    on_both_databases(FAST, async |server| {
        server.wait_for("/teapot/temperature", |temperature| *temperature == "100").await;
        let teapot = server.get("/extensions/teapot").await.expect(200);
        assert_eq!(
            teapot["background"],
            json!([{"name": "kettle", "state": "running", "restarts": 0, "last_error": null}])
        );
        server.stop().await;
    });
}

#[test]
#[should_panic(expected = "no fire heats water at once")]
fn water_that_would_boil_at_once_is_refused_before_the_server_starts() {
    on_both_databases("[extensions.teapot]\ninterval_ms = 0", async |_| {});
}
