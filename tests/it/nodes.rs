//! Nodes are discovered, heard of, changed and deleted.

use rivetgun::testkit::on_both_databases;
use serde_json::json;

#[test]
fn a_mac_is_known_once_whichever_interface_it_belongs_to() {
    on_both_databases("", async |server| {
        let body =
            json!({"mac": "64:C3:54:54:D2:66", "meta": {"interfaces": [{"mac": "64:c3:54:54:d2:67"}, {"mac": ""}]}});
        let node = server.post("/nodes", body.clone()).await.expect(201);
        assert_eq!(node["mac"], "64:c3:54:54:d2:66");
        assert_eq!(node["hostname"], format!("node-{}", node["id"]));
        let problem = server.post("/nodes", body).await.expect(409);
        assert_eq!(problem["detail"], "node with mac 64:c3:54:54:d2:66 already exists");
        let problem = server.post("/nodes", json!({"mac": "64:c3:54:54:d2:67"})).await.expect(409);
        assert_eq!(problem["code"], "RG0409");
    });
}
