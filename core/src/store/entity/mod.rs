//! The tables as sea-orm sees them. Nothing outside of the store does: [`super`] gives and takes the types of the model.

pub(super) mod cluster;
pub(super) mod event;
pub(super) mod event_delivery;
pub(super) mod event_mark;
pub(super) mod event_subscription;
pub(super) mod log_line;
pub(super) mod node;
pub(super) mod node_group;
pub(super) mod node_mac;
pub(super) mod notification;
pub(super) mod release;
pub(super) mod replica;
pub(super) mod sent_document;
pub(super) mod task;
pub(super) mod task_node;
