//! The extension in a whole server, on SQLite and, where it is installed, on PostgreSQL.

mod common;

mod buffer;
mod contract;
mod deletion;
mod disks;
mod documents;
mod provides;
mod renewal;
mod stages;
