//! URLs as they stand in settings.

use reqwest::Url;
use serde::Deserialize;
use std::fmt;

/// An `http` or `https` URL of the settings. It is shown without its path and its credentials, where secrets stand.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HttpUrl(Url);

impl HttpUrl {
    /// The whole of it.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// This URL with more segments at the end of its path, each as it is: none of them becomes two.
    #[must_use]
    pub fn join(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

impl TryFrom<String> for HttpUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let url = Url::parse(&text).map_err(|error| error.to_string())?;
        match url.scheme() {
            "http" | "https" => Ok(Self(url)),
            scheme => Err(format!("the URL must begin with http:// or https://, and this begins with {scheme}:")),
        }
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::HttpUrl;

    #[test]
    fn a_url_shows_where_it_leads_and_none_of_its_secrets() {
        let url = HttpUrl::try_from("https://user:pass@example.org:8443/se/cret/?token=x".to_owned()).expect("a URL");
        assert_eq!((url.to_string(), format!("{url:?}")), (["https://example.org:8443"; 2].map(str::to_owned)).into());
        assert_eq!(url.join(&["a b", "c/d"]).path(), "/se/cret/a%20b/c%2Fd");
        let refused = HttpUrl::try_from("ftp://example.org".to_owned()).expect_err("no HTTP");
        assert_eq!(refused, "the URL must begin with http:// or https://, and this begins with ftp:");
    }
}
