//! What extensions are tested with: a whole server in the test's own process, on a database of its own.
//!
//! ```text
//! use hello_extension as _; // linked, and with it registered
//! use rivetgun::testkit::on_both_databases;
//!
//! #[test]
//! fn a_node_is_greeted() {
//!     on_both_databases("", async |server| {
//!         let node = server.discover("64:c3:54:54:d2:66").await;
//!         server.get(&format!("/hello/{}", node["id"])).await.expect(200);
//!     });
//! }
//! ```
//!
//! `cargo add --dev rivetgun --features testkit` brings it in; a complete test is `examples/hello-extension/tests/hello.rs`.
//! An extension that the test does not name is not linked, and not there.
//!
//! The test runs on SQLite, and again on PostgreSQL where that is installed: see [`on_both_databases`].

mod client;
mod contract;
mod events;
mod postgres;
mod template;

pub use client::Answer;
pub use contract::Contract;
pub use events::{Event, Events};

#[cfg(test)]
use crate::extension::Registration;
use crate::{
    boot::{self, BootError, Linked, Started},
    http::Api,
    server::{Clock, Server},
    settings::Settings,
};
use serde_json::{Value, json};
use std::{
    ffi::OsString,
    future::Future,
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server in the process of the test. Every extension that is linked into the test binary is part of it.
pub struct TestServer {
    pub(crate) server: Arc<Server>,
    api: Api,
    dir: TempDir,
}

/// Runs a test on SQLite, and again on PostgreSQL, each time with a new server and a new database.
///
/// `settings` are the text of a settings file. PostgreSQL is the server of `RIVETGUN_TEST_POSTGRES_URL`, or else one that
/// is started for the test binary where `initdb` is installed. Where it is not, the test says so in a line on standard
/// error and is content, unless `RIVETGUN_TEST_REQUIRE_SERVERS` is set.
///
/// # Panics
/// When the test does, or when a server cannot start.
pub fn on_both_databases<F>(settings: &str, test: impl Fn(TestServer) -> F)
where
    F: Future<Output = ()>,
{
    on_both_with(settings, &Clock::system(), test);
}

pub(crate) fn on_both_with<F: Future<Output = ()>>(settings: &str, clock: &Clock, test: impl Fn(TestServer) -> F) {
    on(None, settings, clock, &test);
    let template = template::fits(&read(settings)).then(template::postgres).flatten();
    match postgres::new_database(template) {
        Ok(url) => on(Some(url), settings, clock, &test),
        Err(reason) => skip("PostgreSQL", &reason),
    }
}

fn read(settings: &str) -> Settings {
    Settings::from_toml(settings).unwrap_or_else(|error| panic!("the settings are wrong: {error}"))
}

/// The server's warnings and errors go where the test's own output goes: beside a failure, and nowhere else.
/// `RIVETGUN_LOG` chooses others.
fn show_log() {
    let filter = EnvFilter::try_from_env("RIVETGUN_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().with_ansi(false).with_target(false);
    // The second server of a test binary has the log of the first.
    drop(log.log_internal_errors(false).try_init());
}

/// Runs a command of the command line in the process of the test, with the extensions that are linked into it. The first
/// of the arguments is the name of the program.
///
/// Not from within an asynchronous runtime: it has one of its own.
pub fn command_line(arguments: &[&str]) -> ExitCode {
    crate::cli::run_with(arguments.iter().map(OsString::from))
}

/// Runs a test on an empty SQLite file, and again on an empty PostgreSQL database.
#[cfg(test)]
pub(crate) fn on_both_stores<F: Future<Output = ()>>(test: impl Fn(crate::store::Store) -> F) {
    let run = |url: &str| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap_or_else(|error| panic!("the runtime cannot start: {error}")).block_on(async {
            let store = crate::store::Store::open(url).await;
            test(store.unwrap_or_else(|error| panic!("{url} cannot be opened: {error}"))).await;
        });
    };
    let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
    run(&format!("sqlite://{}?mode=rwc", dir.path().join("test.sqlite").display()));
    match postgres::new_database(None) {
        Ok(url) => run(&url),
        Err(reason) => skip("PostgreSQL", &reason),
    }
}

/// The URL of a new, empty PostgreSQL database, for tests of whole processes; see [`on_both_databases`] for the server.
///
/// # Errors
/// Why there is none.
pub fn new_postgres_database() -> Result<String, String> {
    postgres::new_database(None)
}

/// Says visibly that a part of a test is left out, or fails where `RIVETGUN_TEST_REQUIRE_SERVERS` is set.
///
/// # Panics
/// Where nothing may be left out.
pub fn skip(what: &str, reason: &str) {
    assert!(std::env::var_os("RIVETGUN_TEST_REQUIRE_SERVERS").is_none(), "{what} is required: {reason}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Past the capture of the test harness, which swallows what tests print.
    drop(writeln!(std::io::stderr(), "skipped: {test} on {what}: {reason}"));
}

#[expect(clippy::print_stdout, reason = "the test harness shows it beside a failure, and nowhere else")]
fn on<F: Future<Output = ()>>(
    database_url: Option<String>,
    settings: &str,
    clock: &Clock,
    test: &impl Fn(TestServer) -> F,
) {
    let database = if database_url.is_some() { "PostgreSQL" } else { "SQLite" };
    println!("on {database}");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("the runtime cannot start: {error}"));
    runtime.block_on(async {
        let server = TestServer::boot(database_url, settings, clock.clone()).await;
        test(server).await;
    });
    runtime.shutdown_background();
}

impl TestServer {
    /// Starts a server on a database of its own: a new SQLite file, or the one behind the URL.
    ///
    /// # Panics
    /// When it cannot start.
    pub async fn start(database_url: Option<String>, settings: &str) -> Self {
        Self::boot(database_url, settings, Clock::system()).await
    }

    pub(crate) async fn boot(database_url: Option<String>, settings: &str, clock: Clock) -> Self {
        Self::link(database_url, settings, clock, Linked::new).await
    }

    /// With just these extensions, which need not be linked.
    #[cfg(test)]
    pub(crate) async fn with(extensions: Vec<&Registration>, database_url: Option<String>, clock: Clock) -> Self {
        Self::link(database_url, "", clock, |settings| Linked::only(extensions, settings)).await
    }

    async fn link(
        database_url: Option<String>,
        settings: &str,
        clock: Clock,
        link: impl FnOnce(Settings) -> Result<Linked, BootError>,
    ) -> Self {
        show_log();
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        let mut settings = read(settings);
        settings.state_dir = dir.path().to_owned();
        settings.database_url = database_url.or(settings.database_url);
        if settings.database_url.is_none() && template::fits(&settings) {
            template::copy_to(&settings.database_file()).await;
        }
        let booted = async { link(settings)?.migrated().await?.assembled(clock).started().await };
        let Started { server, api } =
            booted.await.unwrap_or_else(|error| panic!("the server cannot start: {}", crate::error::chain(&error)));
        Self { server, api, dir }
    }

    /// The URL patterns of an extension.
    fn patterns_of(&self, extension: &str) -> Vec<&'static str> {
        let loaded = self.server.registry.find(extension);
        loaded.map(|loaded| loaded.urls.iter().map(|url| url.pattern).collect()).unwrap_or_default()
    }

    /// The state directory.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        self.dir.path()
    }

    /// The kind of its database: `sqlite` or `postgres`.
    #[must_use]
    pub fn database(&self) -> &'static str {
        self.server.store.backend()
    }

    /// Listens on a free port of this machine, for those who speak HTTP from outside of the test; the port's address.
    ///
    /// # Panics
    /// When it cannot.
    pub async fn listen(&self) -> SocketAddr {
        let listening = async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            Ok::<_, std::io::Error>((listener.local_addr()?, listener))
        };
        let (address, listener) = listening.await.unwrap_or_else(|error| panic!("the server cannot listen: {error}"));
        let serve = self.api.clone().serve(listener, self.server.stopping.clone().cancelled_owned());
        self.server.work.spawn(serve);
        address
    }

    /// Registers a node with this mac, as its agent would; the node as the API shows it.
    ///
    /// # Panics
    /// When the server refuses it.
    pub async fn discover(&self, mac: &str) -> Value {
        self.post("/nodes", json!({"mac": mac, "status": "discover"})).await.expect(201)
    }

    /// Makes a cluster; the cluster as the API shows it.
    ///
    /// # Panics
    /// When the server refuses it.
    pub async fn create_cluster(&self, name: &str) -> Value {
        self.post("/clusters", json!({"name": name})).await.expect(201)
    }

    /// Waits until a task has ended; the task as the API shows it.
    ///
    /// # Panics
    /// When it does not end in half a minute.
    pub async fn ended(&self, task: &Value) -> Value {
        let is_over = |task: &Value| task["status"] == "ready" || task["status"] == "error";
        self.wait_for(&format!("/tasks/{}", task["id"]), is_over).await
    }

    /// Waits until what is at a path is as it should be; what is there then.
    ///
    /// # Panics
    /// When it is not in half a minute.
    pub async fn wait_for(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let wait = async {
            let mut interval = tokio::time::interval(Duration::from_millis(10));
            loop {
                interval.tick().await;
                last = self.get(path).await.expect(200);
                if is_so(&last) {
                    return;
                }
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "{path} does not become what is waited for: {last}");
        last
    }

    /// Stops the server: work in the background is told to end, and waited for.
    pub async fn stop(self) {
        boot::stop_work(&self.server).await;
    }
}
