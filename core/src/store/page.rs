//! Lists a page at a time.

use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, IdenStatic, Iterable, Order, PaginatorTrait, QueryOrder, QuerySelect, Select,
};

/// Which part of a list is wanted, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// At most so many; absent means all.
    pub(crate) limit: Option<u64>,
    /// Skips so many.
    pub(crate) offset: u64,
    /// A field, with `-` before it for descending order; the id decides between equals.
    pub(crate) order_by: Option<String>,
}

/// A part of a list.
#[derive(Debug)]
pub(crate) struct Listed<T> {
    pub(crate) items: Vec<T>,
    /// Where the part begins.
    pub(crate) offset: u64,
    /// How long the whole list is.
    pub(crate) total: u64,
}

impl Page {
    /// Whether [`Page::order_by`] names a column of `E` (or is absent).
    pub(crate) fn names_a_column_of<E: EntityTrait>(&self) -> bool {
        self.order_by.is_none() || self.order::<E>().is_some()
    }

    fn order<E: EntityTrait>(&self) -> Option<(E::Column, Order)> {
        let order_by = self.order_by.as_deref()?;
        let (name, order) = order_by.strip_prefix('-').map_or((order_by, Order::Asc), |name| (name, Order::Desc));
        E::Column::iter().find(|column| column.as_str() == name).map(|column| (column, order))
    }

    /// Reads the part of `select` that the page describes; equal values of the order are told apart by `id`.
    pub(super) async fn of<E, M>(
        &self,
        select: Select<E>,
        id: E::Column,
        connection: &impl ConnectionTrait,
    ) -> Result<Listed<M>, DbErr>
    where
        E: EntityTrait<Model = M>,
        M: sea_orm::FromQueryResult + Send + Sync,
    {
        self.of_each(select, &[id], connection).await
    }

    /// Does the same where it takes several columns to tell one from another.
    pub(super) async fn of_each<E, M>(
        &self,
        select: Select<E>,
        ids: &[E::Column],
        connection: &impl ConnectionTrait,
    ) -> Result<Listed<M>, DbErr>
    where
        E: EntityTrait<Model = M>,
        M: sea_orm::FromQueryResult + Send + Sync,
    {
        let total = select.clone().count(connection).await?;
        let mut select = select;
        if let Some((column, order)) = self.order::<E>() {
            select = select.order_by(column, order);
        }
        for id in ids {
            select = select.order_by(*id, Order::Asc);
        }
        // SQLite knows no offset without a limit.
        let limit = self.limit.unwrap_or(i64::MAX as u64).min(i64::MAX as u64);
        let offset = self.offset.min(i64::MAX as u64);
        let items = select.limit(limit).offset(offset).all(connection).await?;
        Ok(Listed { items, offset: self.offset, total })
    }
}

impl<T> Listed<T> {
    pub(super) fn try_map<U>(self, convert: impl FnMut(T) -> Result<U, DbErr>) -> Result<Listed<U>, DbErr> {
        let items = self.items.into_iter().map(convert).collect::<Result<_, _>>()?;
        Ok(Listed { items, offset: self.offset, total: self.total })
    }
}
