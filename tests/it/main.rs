//! Tests of the server as its users have it: through the API, the command line and the contract. One module an area.

rivetgun::link_extensions!();

mod nodes;
