//! What the extension refuses, and never shows.

use crate::common::{QUICK, SECRET, dead_letter, node, receiver};
use rivetgun::testkit::{TestServer, on_both_databases};

/// Why a server with these settings does not start.
fn why(settings: &str) -> String {
    let refused = std::panic::catch_unwind(|| {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(TestServer::start(None, settings))
    });
    let panic = refused.err().expect("it does not start");
    panic.downcast_ref::<String>().expect("a text").clone()
}

#[test]
fn targets_that_make_no_sense_keep_the_server_from_starting_and_all_that_is_wrong_is_told() {
    let message = why(r#"
        [extensions.notify_webhook.targets.one]
        url = "ftp://example.org/hidden"
        events = ["nodes", "nodes.create.*"]
        secret = "whsec_hidden"
        previous_secrets = ["hidden"]
        headers = {Webhook-Id = "mine", "no name" = "x", Authorization = "hidden\n", Content-Type = "x"}
        [extensions.notify_webhook.targets."Two!"]
        secret_file = "/nowhere/at/all"
        events = []
        [extensions.notify_webhook.targets.three]
        url = "https://user:hidden@127.0.0.1/hidden"
    "#);
    for part in [
        "[extensions.notify_webhook]",
        "`targets.one.url`: the URL must begin with http",
        "`targets.one.events`: `nodes` is not a filter of events: it has fewer than three parts",
        "`targets.one.secret`: what follows `whsec_` is not base64",
        "`targets.one.previous_secrets`: a secret begins with `whsec_`",
        "`targets.one.headers.Webhook-Id`: this header belongs to the message itself",
        "`targets.one.headers.Content-Type`: this header belongs",
        "`targets.one.headers.no name`: ",
        "`targets.one.headers.Authorization`: ",
        "`targets.Two!`: a name is 1 to 64 of",
        "`targets.Two!.url`: set it",
        "`targets.Two!.events`: the list is empty",
        "`targets.Two!.secret_file`: the `secret_file` /nowhere/at/all cannot be read",
        "`targets.three.url`: 127.0.0.1 is not on the internet",
        "`targets.three.events`: `` is not a filter of events: it is empty",
        "`targets.three.secret`: set it, or `secret_file`",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
    assert!(!message.contains("hidden"), "{message}");
}

#[test]
fn a_setting_that_there_is_not_is_told() {
    let message = why("[extensions.notify_webhook.targets.one]\nurll = \"https://example.org\"");
    assert!(message.contains("targets.one.urll") && message.contains("there is no such setting"), "{message}");
}

#[test]
fn private_addresses_are_refused_unless_they_are_allowed_and_no_secret_is_shown() {
    let receiver = receiver();
    let url = format!("http://user:hidden@localhost:{}/tasks?token=hidden", receiver.address().port());
    let settings = format!(
        "{}[extensions.notify_webhook.targets.t]\nurl = \"{url}\"\nevents = \"nodes.*.*\"\nsecret = \"{SECRET}\"\n",
        QUICK.replace("attempts = 1000", "attempts = 2")
    );
    on_both_databases(&settings, async |server| {
        node(&server, 1).await;
        let message = dead_letter(&server).await;
        for part in ["target `t` at http://localhost:", "allow_private_addresses = true"] {
            assert!(message.contains(part), "{part} in {message}");
        }
        assert!(!message.contains("hidden") && !message.contains("whsec_"), "{message}");
        let extensions = server.get("/extensions").await.expect(200).to_string();
        assert!(!extensions.contains("hidden") && !extensions.contains(&SECRET[6..]), "{extensions}");
    });
    assert_eq!(receiver.received(), []);
}
