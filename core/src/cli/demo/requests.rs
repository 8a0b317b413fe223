//! Requests to the URLs of extensions, shown as the lines that a user would type.

use super::super::{
    CliError,
    output::{BAD, FAINT, GOOD, NAME, say},
};
use crate::{
    extension::{Demo, DemoIds, DemoRequest},
    http::{Api, BASE, templates},
    server::Server,
};
use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{Method, header},
};
use std::{collections::BTreeMap, net::SocketAddr, path::Path};

/// Longer answers are cut in what is shown.
const SHOWN_BYTES: usize = 600;

/// How requests are made and shown.
pub(super) struct Requests<'a> {
    pub(super) api: &'a Api,
    pub(super) address: SocketAddr,
    pub(super) ids: DemoIds,
}

impl Requests<'_> {
    /// Makes those by which extensions want to be shown.
    pub(super) async fn declared(
        &self,
        server: &Server,
        demos: &BTreeMap<&str, Demo>,
        state: &Path,
    ) -> Result<(), CliError> {
        for loaded in server.registry.iter() {
            let name = loaded.metadata.name;
            let Some(demo) = demos.get(name) else { continue };
            if !demo.files.is_empty() {
                let files: Vec<&str> = demo.files.iter().map(|(path, _)| path.as_str()).collect();
                let dir = state.join("demo").join(name);
                say(format!("   {NAME}{name}{NAME:#} is given files below {}:", dir.display()))?;
                say(format!("   {FAINT}{}{FAINT:#}", files.join(", ")))?;
            }
            for request in &demo.requests {
                self.show(&request.filled(self.ids)).await?;
            }
        }
        Ok(())
    }

    /// Makes those to all URLs that can be read.
    pub(super) async fn to_read(&self, server: &Server) -> Result<(), CliError> {
        let ids = |group: &str| match group {
            "node_id" => Some(self.ids.node.to_string()),
            "cluster_id" => Some(self.ids.cluster.to_string()),
            _ => None,
        };
        let urls = server.registry.iter().flat_map(|loaded| &loaded.urls);
        for url in urls.filter(|url| url.methods.roles().any(|(method, _)| method == Method::GET)) {
            // The last template is the one with all that is optional.
            let template = templates(url.pattern).into_iter().rev().find_map(|template| template.filled(ids));
            if let Some(path) = template {
                self.show(&DemoRequest { method: Method::GET, path, body: None }).await?;
            }
        }
        Ok(())
    }

    /// Makes a request, and shows it as the line that a user would type, with the answer.
    async fn show(&self, request: &DemoRequest) -> Result<(), CliError> {
        let DemoRequest { method, path, body } = request;
        let mut sent = Request::builder().method(method).uri(format!("{BASE}{path}"));
        if body.is_some() {
            sent = sent.header(header::CONTENT_TYPE, "application/json");
        }
        let sent = sent.body(body.as_ref().map_or_else(Body::empty, |body| Body::from(body.to_string())));
        let response = self.api.answer(sent.map_err(|error| CliError::Told(error.to_string()))?).await;
        let status = response.status();
        let answer = to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default();
        let style = if status.is_success() { GOOD } else { BAD };
        say(format!("   {}   {style}{}{style:#}", curl(request, self.address), status.as_u16()))?;
        say(format!("   {FAINT}{}{FAINT:#}", shortened(&String::from_utf8_lossy(&answer))))
    }
}

fn curl(DemoRequest { method, path, body }: &DemoRequest, address: SocketAddr) -> String {
    let method = if *method == Method::GET { String::new() } else { format!("-X {method} ") };
    let body = body.as_ref().map(|body| {
        let quoted = body.to_string().replace('\'', r"'\''");
        format!(" -H 'content-type: application/json' -d '{quoted}'")
    });
    format!("curl {method}http://{address}{BASE}{path}{}", body.unwrap_or_default())
}

fn shortened(text: &str) -> String {
    let text = text.trim_end();
    match text.char_indices().nth(SHOWN_BYTES) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}
