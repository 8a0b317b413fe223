//! Calls between extensions: one provides a trait of its crate, others call it by that trait.
//!
//! ```
//! use rivetgun::prelude::*;
//! use std::sync::Arc;
//!
//! // In the crate of the extension that provides it:
//! #[async_trait]
//! pub trait Racks: Send + Sync {
//!     /// The rack of a node.
//!     async fn of_node(&self, cx: &CallContext, node: &Node) -> Result<String>;
//! }
//!
//! /// `r7-ada` stands in rack `r7`.
//! struct FromNames;
//!
//! #[async_trait]
//! impl Racks for FromNames {
//!     async fn of_node(&self, _cx: &CallContext, node: &Node) -> Result<String> {
//!         Ok(node.name.split_once('-').map_or("none", |(rack, _)| rack).to_owned())
//!     }
//! }
//!
//! #[derive(Default)]
//! pub struct RackKeeper;
//!
//! #[extension(name = "rack_keeper", version = "1.0.0", description = "Knows racks")]
//! impl Extension for RackKeeper {
//!     fn provides(&self) -> Provides {
//!         Provides::new().with::<dyn Racks>(Arc::new(FromNames))
//!     }
//! }
//!
//! // In a crate that depends on it:
//! #[derive(Default)]
//! pub struct Planner;
//!
//! #[extension(name = "planner", version = "1.0.0", description = "Plans", requires = ["rack_keeper >= 1.0"])]
//! impl Extension for Planner {
//!     fn calls(&self) -> Calls {
//!         Calls::new().to::<dyn Racks>()
//!     }
//!
//!     async fn on_node_create(&self, cx: &HookContext<'_>, node: &Node) -> Result<()> {
//!         let racks = cx.provider::<dyn Racks>()?;
//!         let rack = racks.call(|racks, cx| racks.of_node(cx, node)).await?;
//!         if rack == "none" { Err(veto("a node needs a rack")) } else { Ok(()) }
//!     }
//! }
//! # fn main() {}
//! ```

use super::{CallContext, DbTransaction, Error, Result, Scope};
use crate::model::{Cluster, Node};
use std::{
    any::{Any, TypeId, type_name},
    fmt,
    marker::PhantomData,
    sync::Arc,
};

/// The traits that an extension provides, each with what answers the calls.
#[derive(Clone, Default)]
pub struct Provides(Vec<Provided>);

/// The traits that an extension calls of the extensions that it `requires`; that they are provided is checked at boot.
#[derive(Clone, Default)]
pub struct Calls(Vec<Called>);

#[derive(Clone)]
pub(crate) struct Provided {
    pub(crate) called: Called,
    /// An `Arc` of the trait object.
    provider: Arc<dyn Any + Send + Sync>,
}

/// A trait that is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Called {
    pub(crate) id: TypeId,
    name: &'static str,
}

/// Somebody else's implementation of the trait `T`, to call in the transaction or snapshot of the caller.
pub struct Provider<'a, T: ?Sized> {
    pub(crate) provider: Arc<T>,
    pub(crate) cx: CallContext,
    /// It shares the caller's connection, and goes before that does.
    caller: PhantomData<&'a ()>,
}

impl Provides {
    /// Provides nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Provides the trait `T`, as in `.with::<dyn Racks>(Arc::new(FromNames))`.
    #[must_use]
    pub fn with<T: ?Sized + Send + Sync + 'static>(mut self, provider: Arc<T>) -> Self {
        self.0.push(Provided { called: Called::of::<T>(), provider: Arc::new(provider) });
        self
    }

    pub(crate) fn into_vec(self) -> Vec<Provided> {
        self.0
    }
}

impl Calls {
    /// Calls nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls the trait `T`, which an extension that is named in `requires` provides.
    #[must_use]
    pub fn to<T: ?Sized + 'static>(mut self) -> Self {
        self.0.push(Called::of::<T>());
        self
    }

    pub(crate) fn into_vec(self) -> Vec<Called> {
        self.0
    }
}

impl Called {
    pub(crate) fn of<T: ?Sized + 'static>() -> Self {
        Self { id: TypeId::of::<T>(), name: type_name::<T>() }
    }

    /// The path of the trait: `rack_keeper::Racks`.
    pub(crate) fn name(&self) -> &'static str {
        self.name.strip_prefix("dyn ").unwrap_or(self.name)
    }
}

impl Scope {
    /// The provider of `T` among the extensions that this one requires, in the connection of `db`.
    pub(super) fn provider<T: ?Sized + 'static>(&self, db: &super::Db) -> Result<Provider<'static, T>> {
        let called = Called::of::<T>();
        let place = self.own().calls.get(&called.id).copied();
        let place = place.ok_or_else(|| {
            let name = called.name();
            Error::failed(format!(
                "`{name}` is called without being declared: write `fn calls(&self) -> Calls {{ Calls::new().to::<dyn {name}>() }}` \
                 into the `impl Extension`"
            ))
        })?;
        self.provider_at(place, db)
    }

    /// The provider of `T` for a node: of the extensions that the node itself enables, or else of those that its cluster
    /// does, the first in the total order.
    pub(super) fn provider_for<T: ?Sized + 'static>(
        &self,
        db: &super::Db,
        node: &Node,
        cluster: Option<&Cluster>,
    ) -> Result<Provider<'static, T>> {
        let called = Called::of::<T>();
        let of_cluster = cluster.map(|cluster| cluster.extensions.as_slice()).unwrap_or_default();
        let found = [&node.extensions, of_cluster].into_iter().find_map(|enabled| {
            self.peers.iter().position(|peer| {
                enabled.iter().any(|name| name == peer.metadata.name)
                    && peer.provided.iter().any(|provided| provided.called.id == called.id)
            })
        });
        let place = found.ok_or_else(|| {
            Error::conflict(format!("no extension that is enabled for node {} provides `{}`", node.id, called.name()))
        })?;
        self.provider_at(place, db)
    }

    fn provider_at<T: ?Sized + 'static>(&self, place: usize, db: &super::Db) -> Result<Provider<'static, T>> {
        let scope = self.of_peer(place);
        if let Some(reason) = scope.own().failed.get() {
            let (name, called) = (scope.own().metadata.name, Called::of::<T>());
            return Err(Error::conflict(format!(
                "extension `{name}`, which provides `{}`, has failed: {reason}",
                called.name()
            )));
        }
        let id = TypeId::of::<T>();
        let provided = scope.own().provided.iter().find(|provided| provided.called.id == id);
        let provider = provided.and_then(|provided| provided.provider.downcast_ref::<Arc<T>>());
        let provider = provider.cloned().ok_or_else(|| Error::failed("the provider is not what it was at boot"))?;
        let db = db.of_peer(&scope.own().fence);
        Ok(Provider { provider, cx: CallContext { scope, db }, caller: PhantomData })
    }
}

impl<T: ?Sized> Provider<'_, T> {
    /// The same provider, which works in a transaction of the caller.
    #[must_use]
    pub fn within(self, transaction: &DbTransaction) -> Provider<'_, T> {
        let db = transaction.of_peer(&self.cx.scope.own().fence);
        Provider { provider: self.provider, cx: CallContext { db, ..self.cx }, caller: PhantomData }
    }

    /// The name of the extension that provides it.
    #[must_use]
    pub fn extension(&self) -> &'static str {
        self.cx.scope.own().metadata.name
    }
}

impl<T: ?Sized> fmt::Debug for Provider<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Provider({} of `{}`)",
            Called { id: TypeId::of::<()>(), name: type_name::<T>() }.name(),
            self.extension()
        )
    }
}

impl fmt::Debug for Provides {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|provided| provided.called.name())).finish()
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(Called::name)).finish()
    }
}
