//! A PostgreSQL cluster for the test binary, and a database of it for each test.

use sea_orm::{ConnectionTrait, Database};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// The URL of a new database, empty or a copy of the one with this name, or why there is none.
pub(super) fn new_database(template: Option<&str>) -> Result<String, String> {
    static SERVER: OnceLock<Result<Cluster, String>> = OnceLock::new();
    let server = match std::env::var("RIVETGUN_TEST_POSTGRES_URL") {
        Ok(url) => url,
        Err(_) => SERVER.get_or_init(Cluster::start).as_ref().map_err(Clone::clone)?.url("postgres"),
    };
    let name = format!("rivetgun_test_{}", Uuid::now_v7().simple());
    let created = async {
        let admin = Database::connect(&server).await?;
        let template = template.map(|template| format!(" TEMPLATE {template}")).unwrap_or_default();
        admin.execute_unprepared(&format!("CREATE DATABASE {name}{template}")).await?;
        admin.close().await
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(created).map_err(|error| format!("a database cannot be made: {error}"))?;
    let (before, parameters) = server.split_once('?').map_or((server.as_str(), ""), |(before, after)| (before, after));
    let (base, _) = before.rsplit_once('/').ok_or_else(|| format!("{server} names no database"))?;
    Ok(format!("{base}/{name}?{parameters}"))
}

/// A cluster of this process alone, reached through a socket in its own directory.
struct Cluster {
    dir: PathBuf,
    /// Ends the cluster when its standard input closes: with this process, however that ends.
    _keeper: Child,
}

impl Cluster {
    fn start() -> Result<Self, String> {
        let bin = find_binaries().ok_or("initdb is not installed")?;
        let dir = std::env::temp_dir().join(format!("rivetgun-pg-{}", Uuid::now_v7().simple()));
        Self::start_in(&bin, dir).map_err(|error| format!("a cluster cannot be started: {error}"))
    }

    fn start_in(bin: &Path, dir: PathBuf) -> io::Result<Self> {
        fs::create_dir(&dir)?;
        // PostgreSQL refuses to run as root.
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            run(Command::new("chown").arg("postgres").arg(&dir))?;
        }
        // The keeper waits for the end of its input, which comes with the end of this process.
        let script = format!(
            "set -e; cd '{dir}'; '{bin}/initdb' -D data -A trust -U rivetgun -E UTF8 --no-sync >initdb.log 2>&1; \
             '{bin}/postgres' -D data -k '{dir}' -c listen_addresses= -c fsync=off -c synchronous_commit=off \
             -c full_page_writes=off -c max_connections=300 >postgres.log 2>&1 </dev/null & \
             cat >/dev/null; kill -TERM $!; wait $!; rm -rf '{dir}'",
            dir = dir.display(),
            bin = bin.display()
        );
        let mut keeper = if is_root { Command::new("runuser") } else { Command::new("sh") };
        if is_root {
            keeper.args(["-u", "postgres", "--", "sh"]);
        }
        let keeper =
            keeper.arg("-c").arg(script).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let cluster = Self { dir, _keeper: keeper };
        cluster.wait()?;
        Ok(cluster)
    }

    fn wait(&self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let start = Instant::now();
        loop {
            let error = match runtime.block_on(async { Database::connect(self.url("postgres")).await?.close().await }) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if start.elapsed() > Duration::from_secs(30) {
                let log = fs::read_to_string(self.dir.join("postgres.log")).unwrap_or_default();
                return Err(io::Error::other(format!("it does not answer: {error}\n{log}")));
            }
            runtime.block_on(async { tokio::time::sleep(Duration::from_millis(50)).await });
        }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://rivetgun@localhost/{database}?host={}", self.dir.display())
    }
}

#[expect(clippy::disallowed_methods, reason = "before the test has a runtime")]
fn run(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{command:?} failed"))) }
}

/// `initdb` and `postgres` stand beside `PATH` on Debian.
fn find_binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let mut versions: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    let mut places = std::env::split_paths(&path).chain(versions.into_iter().rev());
    places.find(|place| place.join("initdb").is_file() && place.join("postgres").is_file())
}
