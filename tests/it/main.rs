//! Tests of the server as its users have it: through the API, the command line and the contract. One module an area.

rivetgun::link_extensions!();

use faulty_extension as _; // linked, and with it registered

// What several areas use: extensions that misbehave on demand, the binary, small words.
mod announcer;
mod common;
mod document;
mod ledger;
mod listener;
mod metrics;
mod outside;
mod probe;
mod process;
mod puppet;
mod routes;
mod sinks;
mod socket;
mod stages;
mod steps;
mod urls_of_probe;

mod active;
mod amqp;
mod bad_input;
mod bad_paths;
mod boundaries;
mod cli;
mod clusters;
mod contract;
mod dead_letters;
mod demo;
mod enabling;
mod event_kills;
mod event_stream;
mod events;
mod explain;
mod fence;
mod follow;
mod groups;
mod hook_table;
mod hooks;
mod import;
mod killed;
mod life;
mod lifecycle;
mod linking;
mod local;
mod migrate;
mod monitoring;
mod nodes;
mod notifications;
mod openapi;
mod pipelines;
mod providers;
mod publishing;
mod races;
mod recovery;
mod starts;
mod starts_of_processes;
mod subscriptions;
mod transactions;
mod urls;
mod webhook;
mod websocket;
mod work;
