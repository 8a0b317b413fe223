//! The extension in a whole server, on SQLite and, where it is installed, on PostgreSQL.

use hello_extension::Hello;
use rivetgun::{
    prelude::json,
    testkit::{Contract, on_both_databases},
};

#[test]
fn it_keeps_the_contract() {
    Contract::of::<Hello>().check();
}

#[test]
fn a_node_is_greeted_at_its_url_and_in_its_data() {
    on_both_databases("", async |server| {
        let node = server.post("/nodes", json!({"mac": "64:c3:54:54:d2:66", "name": "ada"})).await.expect(201);
        let id = &node["id"];
        assert_eq!(server.get(&format!("/hello/{id}")).await.expect(200), "hello, ada\n");

        let cluster = server.post("/clusters", json!({"name": "one", "nodes": [id]})).await.expect(201);
        let path = format!("/clusters/{}", cluster["id"]);
        server.put(&format!("{path}/extensions"), json!(["hello"])).await.expect(200);
        let data = server.get(&format!("{path}/orchestrator/deployment/defaults")).await.expect(200);
        assert_eq!(data["nodes"][id.to_string()]["greeting"], "hello, ada");
    });
}

#[test]
fn a_node_that_says_goodbye_is_refused() {
    on_both_databases("", async |server| {
        let body = json!({"mac": "64:c3:54:54:d2:66", "name": "goodbye"});
        let problem = server.post("/nodes", body).await.expect(409);
        assert_eq!(problem["extension"], "hello");
        assert_eq!(problem["detail"], "a node that says goodbye cannot be greeted");
        assert_eq!(server.get("/nodes").await.expect(200), json!([]));
        server.get("/hello/1").await.expect(404);
    });
}
