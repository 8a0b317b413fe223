//! What a reply means for the nodes of the message that it answers.
//!
//! Absent fields say nothing. The end of a message is the end of its nodes, and of no others.

use crate::{
    messages::{Method, Model},
    reply::{Args, NodeArgs},
};
use rivetgun::prelude::*;

/// What a reply means.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Told {
    /// For the task of the message.
    pub(crate) report: Report,
    /// For a stop of the message: the nodes on which there is nothing to stop any more.
    pub(crate) stopped: Vec<i64>,
    /// Whether Astute says nothing more about the message.
    pub(crate) is_last: bool,
    /// What became of the nodes of a message that is being stopped, unless the stop takes them.
    pub(crate) unless_stopped: Option<Said>,
}

/// What a reply to a message means.
pub(crate) fn told(message: &Model, args: &Args, is_being_stopped: bool) -> Told {
    let mut told = match message.method {
        Method::Provision | Method::Deploy => of_work(message, args),
        Method::Stop | Method::Reset | Method::Remove => of_lists(message.method, args),
    };
    // Nodes of other messages are not this one's to tell of.
    told.report.nodes.retain(|said| message.nodes.have(said.node));
    told.stopped.retain(|&node| message.nodes.have(node));
    if message.total == 1 {
        told.report.progress = args.progress.map(percent);
    }
    let rest = match args.status.as_deref() {
        Some("ready") => Said::Done,
        Some("error") => Said::Failed(text(args.error.as_deref()).unwrap_or("astute gave no reason").to_owned()),
        _ => return told,
    };
    told.is_last = true;
    if matches!(message.method, Method::Provision | Method::Deploy) {
        told.stopped.clone_from(&message.nodes.0);
    }
    // A deployment that is told to stop ends in an error: it is the stop that says where it leaves the nodes.
    if is_being_stopped && message.method == Method::Deploy && rest != Said::Done {
        told.unless_stopped = Some(rest);
        return told;
    }
    for &node in &message.nodes.0 {
        told.report = told.report.node(node, rest.clone());
    }
    told
}

/// Provisioning and deployment: each node tells how far it is.
fn of_work(message: &Model, args: &Args) -> Told {
    let mut told = Told::default();
    for said in args.nodes.iter().flatten() {
        let Some(node) = said.uid.node() else {
            if message.method == Method::Provision && said.uid.is_master() && said.status.as_deref() == Some("error") {
                let reason = format!("the master node failed: {}", reason(said));
                let failed = |&node: &i64| (node, Said::Failed(reason.clone()));
                let all = message.nodes.0.iter().map(failed);
                told.report = all.fold(told.report, |report, (node, said)| report.node(node, said));
            }
            continue;
        };
        let is_lost = message.method == Method::Deploy && said.online == Some(false);
        let of_node = match (message.method, said.status.as_deref()) {
            (_, Some("error")) => Some(Said::Failed(reason(said))),
            (Method::Deploy, Some("ready")) | (Method::Provision, Some("provisioned" | "ready")) => Some(Said::Done),
            _ if is_lost => Some(Said::Failed(reason(said))),
            (Method::Deploy, Some("stopped")) => {
                told.stopped.push(node);
                None
            }
            _ => said.progress.map(|progress| Said::Progress(percent(progress))),
        };
        told.report.nodes.push(NodeReport { node, said: of_node, online: said.online });
    }
    told
}

/// Stops, resets and removals: who is listed was erased.
fn of_lists(method: Method, args: &Args) -> Told {
    let mut report = Report::new();
    if args.status.as_deref() == Some("running") {
        return Told::default();
    }
    let ended = if method == Method::Stop { Said::Erased } else { Said::Done };
    for said in args.error_nodes.iter().flatten() {
        report.nodes.extend(said.uid.node().map(|node| NodeReport {
            node,
            said: Some(Said::Failed(reason(said))),
            online: said.online,
        }));
    }
    for (listed, online) in [(&args.nodes, None), (&args.inaccessible_nodes, Some(false))] {
        for said in listed.iter().flatten() {
            let failed = said.status.as_deref() == Some("error");
            let of_node = if failed { Said::Failed(reason(said)) } else { ended.clone() };
            let online = said.online.or(online);
            report.nodes.extend(said.uid.node().map(|node| NodeReport { node, said: Some(of_node), online }));
        }
    }
    Told { report, ..Told::default() }
}

/// Why a node failed.
fn reason(said: &NodeArgs) -> String {
    let told = text(said.error_msg.as_deref()).or(text(said.error.as_deref()));
    let default = if said.online == Some(false) { "the node is offline" } else { "astute gave no reason" };
    told.unwrap_or(default).to_owned()
}

fn text(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped")]
fn percent(progress: f64) -> u8 {
    progress.clamp(0.0, 100.0) as u8
}

#[cfg(test)]
mod tests;
