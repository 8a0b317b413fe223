//! Rivetgun: a provisioning and deployment control plane whose features are *extension crates*, riveted into the server
//! at build time.
//!
//! - An **author** writes an extension: one type, one `impl` of [`Extension`](prelude::Extension). Start with
//!   [`prelude`].
//! - An **integrator** adds the crate to the server's `[dependencies]` and rebuilds. A server of one's own is two lines:
//!   [`link_extensions!`] and [`run`].
//! - An **operator** runs the binary; `rivetgun --help` tells the rest.
//!
//! ```
//! use rivetgun::prelude::*;
//!
//! #[derive(Default)]
//! pub struct Greeter;
//!
//! #[extension(name = "greeter", version = "1.0.0", description = "Says hello")]
//! impl Extension for Greeter {
//!     fn urls(&self) -> Urls {
//!         urls! {
//!             r"/greeter/(?P<name>[a-z]+)/?" => get(hello),
//!         }
//!     }
//! }
//!
//! async fn hello(Path(name): Path<String>) -> String {
//!     format!("hello, {name}\n")
//! }
//! # fn main() {}
//! ```

mod agents;
mod boot;
mod change;
mod cli;
mod codes;
mod contain;
mod deploy;
mod error;
mod events;
mod extension;
mod http;
mod life;
mod model;
mod monitoring;
mod principal;
mod registry;
mod server;
mod settings;
mod store;
mod supervise;

#[cfg(feature = "testkit")]
pub mod testkit;

pub use cli::run;

/// Writes the metadata of an extension and registers it.
///
/// `name` is required: lower-case letters, digits and underscores, at most 32 characters. `version`, `description` and
/// `url` come from `Cargo.toml` unless given. `after = ["other"]` and `requires = ["other >= 1.2"]` put it behind others
/// in the total order, `priority = -1` before those that say nothing. `settings = Type` names the type of its section
/// `[extensions.<name>]`, which needs `serde::Deserialize`.
pub use rivetgun_macros::extension;

/// Describes a pipeline: its name (the type's, or `name = "…"`), and which stages it has.
pub use rivetgun_macros::pipeline;

/// The URLs of an extension: regular expressions, checked at compile time, with axum handlers by method.
///
/// A pattern begins with `/`, matches the whole path below `/api/v1`, and names its groups: `Path` takes them from there.
/// Let it begin with the name of the extension: patterns of two extensions, or of one and the core, that match one path
/// keep the server from starting. Of the patterns of one extension, the first that matches answers.
///
/// The handlers are [`Methods`](prelude::Methods), which also say what role a caller needs: `viewer` to read and `operator`
/// to change, unless stated.
///
/// ```
/// use rivetgun::prelude::*;
///
/// # async fn list() {}
/// # async fn show(Path(id): Path<i64>) {}
/// # async fn forget(Path(id): Path<i64>) {}
/// # let urls: Urls =
/// urls! {
///     "/logger/?" => get(list).role(Role::Public),
///     r"/logger/(?P<id>\d+)/?" => get(show).delete(forget).role(Role::Admin),
/// }
/// # ;
/// ```
pub use rivetgun_macros::urls;

/// See [`Migrations`](prelude::Migrations).
pub use rivetgun_macros::migrations;

/// See [`Pipelines`](prelude::Pipelines).
pub use rivetgun_macros::pipelines;

/// Links every crate in `[dependencies]` of the calling package, and with it the extensions among them.
///
/// rustc drops a crate that nobody names, and with it, silently, its extension. This names them all. It stands in the
/// root of a server's `main.rs`, and of every test binary that boots a server.
pub use rivetgun_macros::link_extensions;

/// What an extension needs, for `use rivetgun::prelude::*;`.
pub mod prelude {
    pub use crate::{
        error::Mistake,
        extension::{
            CallContext, Calls, ClusterData, Db, DbTransaction, Demo, Dispatch, Document, Documents, Error,
            EventContext, EventTypes, Extension, ExtensionContext, Heard, HookContext, Methods, Migrations, Model,
            NodeData, NodeReport, Orchestrator, OrchestratorContext, Orchestrators, Pipeline, PipelineContext,
            Pipelines, PrepareContext, Prepared, Provider, Provides, Receipt, Report, Result, Said, SetupContext,
            StartContext, Subscriptions, TaskContext, Urls, delete, get, patch, post, put, veto,
        },
        http::{Json, Query, RequestPoint, Verbatim},
        model::{
            Change, Cluster, ClusterStatus, ErrorType, Event, FieldChange, Filter, InvalidFilter, InvalidMac,
            MacAddress, Node, NodeGroup, NodeStatus, Object, Point, PointValue, PointValues, Release, ReleaseState,
            Role, Topic, UnknownWord, Work, merge,
        },
    };
    pub use axum::{extract::Path, http::StatusCode, response::IntoResponse};
    pub use rivetgun_macros::{extension, migrations, pipeline, pipelines, urls};
    #[doc(no_inline)]
    pub use sea_orm;
    pub use sea_orm_migration::async_trait::async_trait;
    pub use serde_json::{Value, json};
    pub use uuid::Uuid;
}

/// What a migration needs, for `use rivetgun::migration::*;`.
pub mod migration {
    pub use crate::store::take_buffered;
    #[doc(no_inline)]
    pub use sea_orm_migration::{self, prelude::*};
}

/// What the expansions of the macros name. Not for use by hand, and free to change.
#[doc(hidden)]
pub mod __private {
    pub use crate::extension::{
        Described, DescribedPipeline, Metadata, Migrations, NoSettings, PipelineMetadata, Pipelines, Registration, Urls,
    };
    pub use inventory;
}
