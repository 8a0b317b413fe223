//! The arguments of the command line.

use clap::{ArgGroup, Args, ColorChoice, Parser, Subcommand};
use clap_complete::Shell;
use std::{net::SocketAddr, path::PathBuf};

/// Provisioning and deployment control plane; its features are extension crates, riveted in at build time.
#[derive(Debug, Parser)]
#[command(name = "rivetgun", version, propagate_version = true, arg_required_else_help = true)]
pub(super) struct Arguments {
    /// The settings file (TOML); without one, every setting has its default.
    #[arg(long, global = true, env = "RIVETGUN_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// The database, as a sqlite: or postgres: URL [default: a SQLite file in the state directory].
    #[arg(long, global = true, env = "RIVETGUN_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub(super) database_url: Option<String>,

    /// Where the server keeps its files [default: .rivetgun].
    #[arg(long, global = true, env = "RIVETGUN_STATE_DIR", value_name = "DIR")]
    pub(super) state_dir: Option<PathBuf>,

    /// Write the log as JSON, one object a line.
    #[arg(long, global = true)]
    pub(super) log_json: bool,

    #[command(flatten)]
    pub(super) color: Color,

    #[command(subcommand)]
    pub(super) command: Command,
}

/// When to colour; `NO_COLOR` and a missing terminal switch colours off by themselves.
#[derive(Debug, Args)]
pub(super) struct Color {
    /// When to use colours.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorChoice,
}

impl Color {
    pub(super) fn write_global(&self) {
        match self.color {
            ColorChoice::Always => anstream::ColorChoice::Always.write_global(),
            ColorChoice::Never => anstream::ColorChoice::Never.write_global(),
            ColorChoice::Auto => anstream::ColorChoice::Auto.write_global(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the server.
    Serve {
        /// The address to listen on; port 0 picks one [default: 127.0.0.1:8080].
        #[arg(long, env = "RIVETGUN_LISTEN", value_name = "ADDR")]
        listen: Option<SocketAddr>,
        /// Refuse to start when migrations are pending, instead of applying them.
        #[arg(long)]
        no_migrate: bool,
    },
    /// Show the whole main job on a sample cluster: import, extensions, provision, deploy.
    ///
    /// Its state and its database are temporary, whatever --state-dir and --database-url say, and go when it ends.
    Demo {
        /// Stop when everything was shown, instead of serving until Ctrl-C.
        #[arg(long)]
        exit: bool,
        /// The address to listen on; port 0 picks one.
        #[arg(long, env = "RIVETGUN_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
    /// Make a cluster of deployment documents, one YAML file a node; all or nothing.
    Import {
        /// The documents.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The name of the cluster that is made.
        #[arg(long, value_name = "NAME")]
        cluster: String,
    },
    /// Show what each pipeline changes in the data of a cluster, stage by stage. Changes nothing.
    Explain(ExplainArguments),
    /// Apply migrations, take them back, or show where they stand.
    Migrate {
        #[command(subcommand)]
        action: MigrateAction,
    },
    /// Look at the extensions of this build.
    Extensions {
        #[command(subcommand)]
        action: ExtensionsAction,
    },
    /// Look at events that could not be delivered to an extension, try them again, or drop them.
    ///
    /// An event that an extension fails to handle some twenty times, or refuses, is put aside as a dead letter. This works
    /// beside a running server, which finds out within a few seconds.
    DeadLetters {
        #[command(subcommand)]
        action: DeadLettersAction,
    },
    /// Write the OpenAPI document of this build, the URLs of its extensions included. Needs no database.
    Openapi,
    /// Tell more about an error code, such as RG0101.
    Error {
        /// The code.
        code: String,
    },
    /// Write completions for a shell to standard output.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// The name of the cluster, or its id.
    pub(super) cluster: String,
    /// The id of a node: explain the data of this one only.
    #[arg(long, value_name = "N")]
    pub(super) node: Option<i64>,
}

#[derive(Debug, Subcommand)]
pub(super) enum MigrateAction {
    /// Apply every pending migration: the core's, then each extension's.
    Up {
        /// Only those of this extension (or of `core`).
        #[arg(long, value_name = "NAME")]
        extension: Option<String>,
        /// Show the SQL, and try it in a transaction that is rolled back. Changes nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Take back migrations of one extension, the latest first. No server may run on the state directory.
    Down {
        /// The extension.
        #[arg(long, value_name = "NAME")]
        extension: String,
        #[command(flatten)]
        steps: Steps,
        /// Show the SQL, and try it in a transaction that is rolled back. Changes nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Show every migration, what extensions left that are not in this build, and rows that wait. Changes nothing.
    Status {
        /// Only those of this extension (or of `core`).
        #[arg(long, value_name = "NAME")]
        extension: Option<String>,
        /// Write JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Drop everything that an extension left which is not in this build. No server may run on the state directory.
    Purge {
        /// The extension.
        #[arg(long, value_name = "NAME")]
        extension: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// Show what would be dropped, and with which SQL. Changes nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Take applied migrations that changed since as they are now. Touches their checksums only.
    Accept {
        /// The extension (or `core`).
        #[arg(long, value_name = "NAME")]
        extension: String,
    },
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct Steps {
    /// How many migrations [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,
    /// All of them.
    #[arg(long)]
    all: bool,
}

impl Steps {
    pub(super) fn count(&self) -> usize {
        let steps = usize::try_from(self.steps.unwrap_or(1)).unwrap_or(usize::MAX);
        if self.all { usize::MAX } else { steps }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum DeadLettersAction {
    /// List dead letters, those of extensions that are not in this build included. Changes nothing.
    List {
        #[command(flatten)]
        which: WhichLetters,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u64,
        /// Write JSON, with the whole events, instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Try dead letters again, as often as at first.
    #[command(group = ArgGroup::new("chosen").required(true).multiple(true).args(["extension", "sequences", "all"]))]
    Replay {
        #[command(flatten)]
        which: WhichLetters,
        /// All of them, of all extensions.
        #[arg(long, conflicts_with_all = ["extension", "sequences"])]
        all: bool,
    },
    /// Drop dead letters for good.
    #[command(group = ArgGroup::new("chosen").required(true).multiple(true).args(["extension", "sequences", "all"]))]
    Drop {
        #[command(flatten)]
        which: WhichLetters,
        /// All of them, of all extensions.
        #[arg(long, conflicts_with_all = ["extension", "sequences"])]
        all: bool,
    },
}

/// Which dead letters: those that fit all that is said.
#[derive(Debug, Args)]
pub(super) struct WhichLetters {
    /// The sequence numbers of the events; all of them when absent.
    #[arg(value_name = "SEQUENCE")]
    pub(super) sequences: Vec<i64>,
    /// Only those of this extension.
    #[arg(long, value_name = "NAME")]
    pub(super) extension: Option<String>,
    /// Only those of the subscription of this name; '' is the one without a name.
    #[arg(long, value_name = "NAME", requires = "extension")]
    pub(super) subscription: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ExtensionsAction {
    /// List the extensions of this build in the total order.
    List {
        /// Write JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
}
