//! The event log, who reads it how far, and what could not be delivered yet.

use crate::{column, optional};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("events")
                    .col(ColumnDef::new("sequence").big_integer().not_null().auto_increment().primary_key())
                    .col(column::time("time"))
                    .col(column::text("type"))
                    .col(column::text("action"))
                    .col(column::text("key"))
                    .col(column::text("principal"))
                    // Text and not JSON: it is handed on as it is, and nobody looks into it with SQL.
                    .col(column::text("object"))
                    .col(optional(column::text("original")))
                    .take(),
            )
            .await?;
        let index =
            Index::create().name("ix_events_of_key").table("events").col("type").col("key").col("sequence").take();
        manager.create_index(index).await?;
        manager
            .create_table(
                Table::create()
                    .table("event_subscriptions")
                    .col(column::text("extension"))
                    .col(column::text("name"))
                    // Every event up to here is done with, or kept in event_deliveries.
                    .col(column::reference("position"))
                    // The server that has it in hand, until when (Unix time, by the database's clock), and the how-manieth
                    // time somebody took it: what an earlier one writes late is not taken.
                    .col(optional(column::uuid("owner")))
                    .col(column::reference("owned_until"))
                    .col(column::reference("epoch"))
                    // When somebody last had it in hand (Unix time).
                    .col(column::reference("seen"))
                    .primary_key(Index::create().col("extension").col("name"))
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("event_deliveries")
                    .col(column::text("extension"))
                    .col(column::text("name"))
                    .col(column::reference("sequence"))
                    // `waiting` or `dead`.
                    .col(column::text("state"))
                    .col(column::number("attempts"))
                    .col(column::time("due"))
                    .col(column::text("error"))
                    .primary_key(Index::create().col("extension").col("name").col("sequence"))
                    .take(),
            )
            .await?;
        let replicas = Table::create()
            .table("replicas")
            .col(column::uuid("server_id").primary_key().take())
            .col(column::reference("seen"))
            // The subscriptions that it can deliver: `[["extension", "name"]]`.
            .col(column::text("delivers"))
            .take();
        manager.create_table(replicas).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["replicas", "event_deliveries", "event_subscriptions", "events"] {
            manager.drop_table(Table::drop().table(table).take()).await?;
        }
        Ok(())
    }
}
