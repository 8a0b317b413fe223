//! A RabbitMQ server of this process alone, on ports and in a directory of its own.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Where Debian and the packages of RabbitMQ keep the inner script; the one on `PATH` changes user and directories.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// How long the server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Obeys `start` and `stop`, and ends all when its input ends: with the process that started it, however that ends.
const KEEPER: &str = r#"
cd "$DIR"
halt() {
    [ -n "$server" ] || return
    while [ ! -f pid ] && kill -0 "$server" 2>/dev/null; do sleep 0.1; done
    kill -"$1" "$(cat pid)"
    wait "$server"
    rm -f pid
    server=
}
while read -r order; do
    case $order in
        start) "$SERVER" >>server.log 2>&1 </dev/null & server=$! ;;
        stop) halt TERM; echo stopped ;;
    esac
done
halt KILL
epmd -kill >/dev/null 2>&1
rm -rf "$DIR"
"#;

/// A RabbitMQ server. It ends when this is dropped, and when the process ends.
#[derive(Debug)]
pub struct RabbitMq {
    pub(crate) port: u16,
    dir: PathBuf,
    keeper: Mutex<Keeper>,
}

#[derive(Debug)]
struct Keeper {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// The server that all tests of a binary share: it is started with the first of them.
///
/// # Errors
/// Why there is none.
pub fn shared_rabbitmq() -> Result<&'static RabbitMq, String> {
    static SERVER: OnceLock<Result<RabbitMq, String>> = OnceLock::new();
    SERVER.get_or_init(RabbitMq::start).as_ref().map_err(Clone::clone)
}

impl RabbitMq {
    /// Starts a server, and waits until it answers.
    ///
    /// # Errors
    /// Why there is none: above all, that RabbitMQ is not installed.
    pub fn start() -> Result<Self, String> {
        let server = Self::prepare()?;
        server.start_again()?;
        Ok(server)
    }

    /// A server that is not running yet: see [`RabbitMq::start_again`].
    ///
    /// # Errors
    /// Why there is none: above all, that RabbitMQ is not installed.
    pub fn prepare() -> Result<Self, String> {
        if !Path::new(SERVER).exists() {
            return Err("rabbitmq-server is not installed".to_owned());
        }
        Self::try_prepare().map_err(|error| format!("RabbitMQ cannot be started: {error}"))
    }

    #[expect(clippy::disallowed_methods, reason = "for tests, which may wait")]
    fn try_prepare() -> io::Result<Self> {
        let dir = TempDir::with_prefix("rivetgun-rabbitmq-")?.keep();
        fs::write(dir.join("plugins"), "[].")?;
        fs::write(dir.join("rabbitmq.conf"), "disk_free_limit.absolute = 10MB\n")?;
        let [port, distribution, epmd] = free_ports()?;
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER])
            .env("DIR", &dir)
            .env("SERVER", SERVER)
            .env("HOME", &dir)
            .env("RABBITMQ_NODENAME", format!("rivetgun-{port}@localhost"))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", port.to_string())
            .env("RABBITMQ_DIST_PORT", distribution.to_string())
            .env("ERL_EPMD_PORT", epmd.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_MNESIA_BASE", dir.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", dir.join("log"))
            .env("RABBITMQ_PID_FILE", dir.join("pid"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", dir.join("plugins"))
            .env("RABBITMQ_CONFIG_FILE", dir.join("rabbitmq"))
            // Others work on this machine too: no spinning, one scheduler.
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(orders), Some(answers)) = (keeper.stdin.take(), keeper.stdout.take()) else {
            return Err(io::Error::other("the keeper has no pipes"));
        };
        let keeper = Keeper { child: keeper, orders: Some(orders), answers: BufReader::new(answers) };
        Ok(Self { port, dir, keeper: Mutex::new(keeper) })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// Stops it. What is durable stays in its directory.
    ///
    /// # Errors
    /// When its keeper is gone.
    pub fn stop(&self) -> Result<(), String> {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answer = String::new();
        keeper.order("stop").and_then(|()| keeper.answers.read_line(&mut answer)).map_err(|error| error.to_string())?;
        Ok(())
    }

    /// Starts it after [`RabbitMq::prepare`] or [`RabbitMq::stop`], and waits until it answers.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_again(&self) -> Result<(), String> {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        keeper.order("start").map_err(|error| error.to_string())?;
        let begin = Instant::now();
        while let Err(error) = self.greet() {
            if begin.elapsed() > PATIENCE {
                let log = fs::File::open(self.dir.join("server.log")).and_then(io::read_to_string);
                return Err(format!("RabbitMQ does not answer: {error}\n{}", log.unwrap_or_default()));
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Greets it as clients do; it answers with a frame of the kind 1.
    #[expect(clippy::disallowed_methods, reason = "for tests, which may wait")]
    fn greet(&self) -> io::Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"AMQP\x00\x00\x09\x01")?;
        let mut kind = [0];
        stream.read_exact(&mut kind)?;
        if kind == [1] { Ok(()) } else { Err(io::Error::other("what answers is not RabbitMQ")) }
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        let keeper = self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner);
        // The end of its input ends everything; it is waited for, so that nothing is left when a test ends.
        drop(keeper.orders.take());
        drop(keeper.child.wait());
    }
}

impl Keeper {
    fn order(&mut self, order: &str) -> io::Result<()> {
        let orders = self.orders.as_mut().ok_or_else(|| io::Error::other("it has ended"))?;
        writeln!(orders, "{order}")
    }
}

/// Three ports that nobody listens on.
pub(crate) fn free_ports() -> io::Result<[u16; 3]> {
    let listeners = [
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
    ];
    let [first, second, third] = &listeners;
    Ok([first.local_addr()?.port(), second.local_addr()?.port(), third.local_addr()?.port()])
}
