//! What it declares for `rivetgun demo`, done on the sample cluster of the demo.

use super::{
    Subject, check,
    data::{enable, repeated_for},
    sample::Sample,
};
use crate::cli::demo;
use serde_json::Value;

check!(DEMO = "its demo shows it on the sample cluster", shown);

async fn shown(subject: &Subject) {
    if subject.demo.requests.is_empty() {
        return;
    }
    let imported = demo::import_sample(&subject.server.server).await;
    let (cluster, nodes) = match imported {
        Ok(imported) => imported,
        Err(error) => return subject.find(format!("it keeps the sample cluster from being imported: {error}")),
    };
    let ids = demo::ids_of(&cluster, &nodes);
    let nodes = nodes.iter().map(|node| node.id.into()).collect();
    let sample = Sample { cluster: cluster.id.into(), nodes };
    if enable(subject, &sample).await.is_none() {
        return subject.find("it refuses to be enabled for the sample cluster");
    }
    for request in &subject.demo.requests {
        let request = request.filled(ids);
        let body = request.body.map(|body| body.to_string());
        let answer = subject.server.request(request.method, &request.path, body).await;
        if answer.status() >= 400 {
            // Without what differs each time, such as the id of the request.
            let told = serde_json::from_str(&answer.text()).unwrap_or(Value::Null);
            let (request, status) = (answer.request(), answer.status());
            subject.find(format!("{request} of its demo was answered with {status}: {}", told["detail"]));
        }
    }
    repeated_for(subject, &sample).await;
}
