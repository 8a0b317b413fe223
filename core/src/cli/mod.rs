//! The command line. Results go to standard output, everything else to standard error; colours end where no terminal is.

mod arguments;
mod dead_letters;
pub(crate) mod demo;
mod diff;
mod explain;
mod extensions;
mod import;
mod migrate;
mod output;
mod serve;

use crate::{
    boot::{BootError, Linked},
    error::{Refusal, chain},
    principal,
    settings::{Settings, SettingsError},
};
use arguments::{Arguments, Command};
use clap::{CommandFactory, Parser};
use output::{complain, say};
use std::{
    backtrace::{Backtrace, BacktraceStatus},
    ffi::OsString,
    io::IsTerminal,
    panic::PanicHookInfo,
    process::ExitCode,
};
use tracing_subscriber::EnvFilter;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Boot(#[from] BootError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Import(#[from] import::ImportError),
    #[error("the asynchronous runtime cannot start")]
    Runtime(#[source] std::io::Error),
    #[error("the output cannot be written")]
    Output(#[source] std::io::Error),
    #[error("{0}")]
    Told(String),
}

/// Runs the command line of a server, with the extensions that are linked into this binary.
///
/// Exit codes: 0 done, 1 failed (standard error tells why and what to do), 2 wrong arguments.
#[must_use]
pub fn run() -> ExitCode {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(
        move |panic| {
            if tracing::dispatcher::has_been_set() { log_panic(panic) } else { print(panic) }
        },
    ));
    run_with(std::env::args_os())
}

/// Runs the command line with these arguments, the first of which is the name of the program.
pub(crate) fn run_with(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        // Help and the version are told like errors, and are none: the code knows.
        Err(told) => {
            drop(told.print());
            return u8::try_from(told.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    arguments.color.write_global();
    start_log(&arguments);
    match execute(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // Who closed our output has read enough.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(&chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn execute(arguments: Arguments) -> Result<(), CliError> {
    let Arguments { config, database_url, state_dir, command, .. } = arguments;
    match command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "rivetgun", &mut script);
            return say(String::from_utf8_lossy(&script).trim_end());
        }
        Command::Error { code } => return error_page(&code),
        _ => {}
    }
    let mut settings = match config {
        Some(path) => Settings::from_file(&path)?,
        None => Settings::default(),
    };
    if let Some(state_dir) = state_dir {
        settings.state_dir = state_dir;
    }
    settings.database_url = database_url.or(settings.database_url);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::Runtime)?;
    let principal = if matches!(command, Command::Serve { .. }) { principal::SERVER } else { principal::CLI };
    let outcome = runtime.block_on(principal::acting(principal, async {
        match command {
            Command::Serve { listen, no_migrate } => {
                settings.listen = listen.unwrap_or(settings.listen);
                settings.migrate &= !no_migrate;
                serve::serve(settings).await
            }
            Command::Demo { exit, listen } => demo::demo(settings, listen, exit).await,
            Command::Import { files, cluster } => import::import(settings, &files, cluster).await,
            Command::Explain(arguments) => explain::explain(settings, arguments).await,
            Command::Migrate { action } => migrate::migrate(settings, action).await,
            Command::DeadLetters { action } => dead_letters::dead_letters(settings, action).await,
            Command::Openapi => say(Linked::new(settings)?.document().as_str().trim_end()),
            Command::Extensions { action } => extensions::extensions(settings, &action),
            Command::Completions { .. } | Command::Error { .. } => Ok(()),
        }
    }));
    // A stage of a pipeline that never returns must not keep the process.
    runtime.shutdown_background();
    outcome
}

fn error_page(code: &str) -> Result<(), CliError> {
    let codes = crate::codes::error_codes();
    let found = codes.iter().find(|known| known.code.eq_ignore_ascii_case(code));
    let found = found.ok_or_else(|| {
        let known = codes.iter().map(|known| known.code).collect::<Vec<_>>().join(", ");
        CliError::Told(format!("there is no error code {code}; known are {known}"))
    })?;
    say(found.page.trim_end())
}

/// The log goes to standard error; `RIVETGUN_LOG` chooses what of it, as in `info,rivetgun=debug`.
fn start_log(arguments: &Arguments) {
    let quiet = !matches!(arguments.command, Command::Serve { .. });
    let default = if quiet { "error" } else { "info,sqlx=warn,sea_orm_migration=warn" };
    let filter = EnvFilter::try_from_env("RIVETGUN_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let colours = match arguments.color.color {
        clap::ColorChoice::Always => true,
        clap::ColorChoice::Never => false,
        clap::ColorChoice::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    // A log that cannot be written must not end what it tells of: by default a failure to write is printed, and a failure
    // to print panics.
    let builder = builder.log_internal_errors(false);
    // A second run in one process (tests) keeps the first log.
    drop(if arguments.log_json { builder.json().try_init() } else { builder.with_target(false).try_init() });
}

/// Tells of a panic, be it of an extension, where everything else is told.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| tracing::field::display(backtrace));
    let text = panic.payload_as_str().unwrap_or("what it said is no text");
    tracing::error!(thread = thread.name(), backtrace, "panicked at {place}: {text}");
}
