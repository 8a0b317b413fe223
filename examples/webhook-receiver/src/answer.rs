//! How a request is answered in place of being taken on.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};

/// How a request is answered in place of being taken on.
#[derive(Debug, Clone)]
pub struct Answer {
    /// `None`: as long as the caller waits, it is not.
    status: Option<StatusCode>,
    headers: Vec<(HeaderName, HeaderValue)>,
    text: String,
}

impl Answer {
    /// With this status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status: Some(status), headers: Vec::new(), text: String::new() }
    }

    /// Not at all.
    #[must_use]
    pub fn never() -> Self {
        Self { status: None, headers: Vec::new(), text: String::new() }
    }

    /// And this header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }

    /// And this text.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..self }
    }

    /// The status; 0 where there is no answer.
    pub(crate) fn code(&self) -> u16 {
        self.status.map_or(0, |status| status.as_u16())
    }

    pub(crate) async fn give(self) -> Response {
        let Some(status) = self.status else { return std::future::pending().await };
        let mut response = (status, self.text).into_response();
        response.headers_mut().extend(self.headers);
        response
    }
}
