//! The examples of the reference (nailgun.md, section 11), and what may go wrong with them.

use super::{Told, told};
use crate::{
    messages::{Method, Model, Nodes, State},
    reply::Reply,
};
use rivetgun::prelude::*;

const UUID: Uuid = Uuid::from_u128(7);

fn message(method: Method, nodes: &[i64], total: i32) -> Model {
    Model {
        uuid: UUID,
        task: UUID,
        place: 0,
        total,
        method,
        nodes: Nodes(nodes.to_vec()),
        stops: None,
        time: Default::default(),
        state: State::Sent,
    }
}

#[track_caller]
fn heard(message: &Model, mut args: Value, is_being_stopped: bool) -> Told {
    args["task_uuid"] = UUID.to_string().into();
    let body = json!({"method": "any", "args": args}).to_string();
    told(message, &Reply::read(body.as_bytes()).expect("a reply").args, is_being_stopped)
}

fn failed(reason: &str) -> Said {
    Said::Failed(reason.to_owned())
}

#[test]
fn the_first_reply_says_nothing() {
    for method in [Method::Provision, Method::Deploy, Method::Stop, Method::Reset, Method::Remove] {
        let message = message(method, &[13], 1);
        assert_eq!(heard(&message, json!({"status": "running"}), false), Told::default(), "{method:?}");
    }
}

#[test]
fn provisioning_tells_progress_and_its_end() {
    let message = message(Method::Provision, &[13, 14], 1);
    let node = json!([{"uid": "13", "status": "provisioning", "progress": 40}]);
    let running = heard(&message, json!({"status": "running", "progress": 40, "nodes": node}), false);
    assert_eq!(running.report, Report { progress: Some(40), ..Report::new().node(13, Said::Progress(40)) });

    let node = json!([{"uid": "13", "status": "provisioned", "progress": 100}]);
    let ready = heard(&message, json!({"status": "ready", "progress": 100, "nodes": node}), false);
    let done = Report::new().node(13, Said::Done).node(13, Said::Done).node(14, Said::Done);
    assert_eq!(ready.report, Report { progress: Some(100), ..done });
}

#[test]
fn an_error_of_a_node_comes_before_that_of_its_message() {
    let message = message(Method::Provision, &[13, 14], 1);
    let node = json!([{"uid": "13", "status": "error", "error_type": "provision", "error_msg": "Failed to provision"}]);
    let error = "Too many nodes failed to provision";
    let heard = heard(&message, json!({"status": "error", "error": error, "nodes": node}), false);
    let report = Report::new().node(13, failed("Failed to provision"));
    assert_eq!(heard.report, report.node(13, failed(error)).node(14, failed(error)));
}

#[test]
fn an_error_of_the_master_fails_provisioning_and_nothing_else() {
    let master = json!({"nodes": [{"uid": "master", "status": "error", "error_msg": "no image"}]});
    let provision = heard(&message(Method::Provision, &[13], 1), master.clone(), false);
    assert_eq!(provision.report, Report::new().node(13, failed("the master node failed: no image")));
    assert_eq!(heard(&message(Method::Deploy, &[13], 1), master, false), Told::default());
    let others =
        json!({"nodes": [{"uid": "None", "status": "error"}, {"uid": null}, {}, {"uid": "master", "progress": 1}]});
    assert_eq!(heard(&message(Method::Provision, &[13], 1), others, false), Told::default());
}

#[test]
fn deployment_tells_progress_and_a_node_that_is_away_has_failed() {
    let message = message(Method::Deploy, &[13, 14], 1);
    let node = json!([{"uid": "13", "status": "deploying", "progress": 30, "deployment_graph_task_name": "hiera"}]);
    assert_eq!(heard(&message, json!({"nodes": node}), false).report, Report::new().node(13, Said::Progress(30)));
    for (node, said) in [
        (json!({"uid": "13", "status": "ready", "progress": 100}), Some(Said::Done)),
        (json!({"uid": "13", "status": "provisioned", "progress": 100}), Some(Said::Progress(100))),
        (json!({"uid": "13", "status": "error", "error_msg": "Task x failed"}), Some(failed("Task x failed"))),
        (json!({"uid": "13", "status": "error", "error_msg": " "}), Some(failed("astute gave no reason"))),
        (json!({"uid": "13", "online": false}), Some(failed("the node is offline"))),
        (json!({"uid": "13", "progress": 1e9}), Some(Said::Progress(100))),
        (json!({"uid": "13", "progress": -1}), Some(Said::Progress(0))),
        (json!({"uid": "13", "status": null, "progress": null}), None),
        (json!({"uid": "13"}), None),
    ] {
        let online = node["online"].as_bool();
        let heard = heard(&message, json!({"nodes": [node]}), false);
        assert_eq!(heard.report.nodes, [NodeReport { node: 13, said, online }]);
    }
}

#[test]
fn the_end_of_a_message_is_not_the_end_of_other_nodes() {
    let first = message(Method::Deploy, &[13, 14], 2);
    let nodes = json!([{"uid": "13", "status": "ready"}, {"uid": "15", "status": "ready"}]);
    let heard = heard(&first, json!({"status": "ready", "progress": 100, "nodes": nodes}), false);
    assert_eq!(heard.report, Report::new().node(13, Said::Done).node(13, Said::Done).node(14, Said::Done));
    assert_eq!(heard.report.rest, None);
}

#[test]
fn a_deployment_that_is_stopped_leaves_its_nodes_to_the_stop() {
    let message = message(Method::Deploy, &[13, 14], 1);
    let nodes = json!([{"uid": "13", "status": "stopped"}, {"uid": "14", "status": "error", "error_msg": "x"}]);
    let stopped = heard(&message, json!({"nodes": nodes}), true);
    let silent = NodeReport { node: 13, said: None, online: None };
    assert_eq!(stopped.report.nodes, [silent, NodeReport { node: 14, said: Some(failed("x")), online: None }]);
    assert_eq!(stopped.stopped, [13]);
    let last = heard(&message, json!({"status": "error", "error": "stopped"}), true);
    let unless_stopped = Some(failed("stopped"));
    assert_eq!(last, Told { report: Report::new(), stopped: vec![13, 14], is_last: true, unless_stopped });
    let in_time = heard(&message, json!({"status": "ready"}), true);
    assert_eq!(in_time.report, Report::new().node(13, Said::Done).node(14, Said::Done));
}

#[test]
fn who_is_listed_in_the_answer_to_a_stop_was_erased() {
    let message = message(Method::Stop, &[13, 14, 15], 1);
    let args = json!({"status": "ready", "nodes": [{"uid": "13"}], "inaccessible_nodes": [{"uid": "14"}]});
    let mut report = Report::new().node(13, Said::Erased);
    report.nodes.push(NodeReport { node: 14, said: Some(Said::Erased), online: Some(false) });
    let rest = report.node(13, Said::Done).node(14, Said::Done).node(15, Said::Done);
    assert_eq!(heard(&message, args, false).report, rest);
}

#[test]
fn a_removal_tells_of_who_could_not_be_removed() {
    let message = message(Method::Remove, &[13, 14, 15], 1);
    let error_nodes = json!([{"uid": "14", "error": "no disk"}]);
    let args = json!({"status": "error", "nodes": [{"uid": "13"}], "error_nodes": error_nodes, "error": "not all"});
    let report = Report::new().node(14, failed("no disk")).node(13, Said::Done);
    let rest = report.node(13, failed("not all")).node(14, failed("not all")).node(15, failed("not all"));
    assert_eq!(heard(&message, args, false).report, rest);
}
