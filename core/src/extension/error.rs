//! What an extension may answer instead of a result.

use crate::error::Mistake;
use std::{borrow::Cow, error::Error as StdError, fmt, time::Duration};

/// The result of every fallible method of the contract.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an extension did not do what it was asked for.
///
/// `?` turns every error into one, of which callers see that the extension failed and the log the whole. The
/// constructors are for what callers may know: their text goes into the problem body.
///
/// ```
/// # use rivetgun::prelude::*;
/// fn size(text: &str) -> Result<u64> {
///     let size: u64 = text.trim().parse()?;
///     if size == 0 {
///         return Err(Error::invalid("the size must not be zero"));
///     }
///     Ok(size)
/// }
/// ```
pub struct Error(Box<Kind>);

#[derive(Debug)]
pub(crate) enum Kind {
    Veto(Cow<'static, str>),
    NotFound(Cow<'static, str>),
    Invalid(Cow<'static, str>),
    Mistakes(Vec<Mistake>),
    Conflict(Cow<'static, str>),
    Unauthorized(Cow<'static, str>),
    /// With how long it is asked to wait.
    Unavailable(Cow<'static, str>, Option<Duration>),
    Failed(Box<dyn StdError + Send + Sync>),
}

/// Refuses the change that a hook was told of: 409, with the extension's name and this reason.
#[must_use]
pub fn veto(reason: impl Into<Cow<'static, str>>) -> Error {
    Error::new(Kind::Veto(reason.into()))
}

impl Error {
    fn new(kind: Kind) -> Self {
        Self(Box::new(kind))
    }

    /// From a URL handler: what was asked for does not exist. 404.
    #[must_use]
    pub fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::NotFound(detail.into()))
    }

    /// From a URL handler: the request makes no sense. 400.
    #[must_use]
    pub fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Invalid(detail.into()))
    }

    /// From a URL handler: the request makes no sense, in one place or several, all of which are told at once. 400.
    ///
    /// ```
    /// # use rivetgun::prelude::*;
    /// # let error =
    /// Error::mistakes([("/0/size", "a size is not negative"), ("/1/id", "there is no disk sdx")])
    /// # ;
    /// ```
    #[must_use]
    pub fn mistakes(mistakes: impl IntoIterator<Item = impl Into<Mistake>>) -> Self {
        Self::new(Kind::Mistakes(mistakes.into_iter().map(Into::into).collect()))
    }

    /// From a URL handler: the state of things forbids it. 409.
    #[must_use]
    pub fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Conflict(detail.into()))
    }

    /// From a URL handler: who asks could not show who that is. 401.
    #[must_use]
    pub fn unauthorized(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unauthorized(detail.into()))
    }

    /// What is needed is away, and may come back: 503 from a URL handler, the reason of a task that is not taken on.
    #[must_use]
    pub fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unavailable(detail.into(), None))
    }

    /// The same, where it is known for how long: so long [`handle_event`](super::Extension::handle_event) is not called again
    /// for the same thing, within the limits of the settings, and a caller of a URL is asked to wait (`Retry-After`).
    #[must_use]
    pub fn unavailable_for(wait: Duration, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unavailable(detail.into(), Some(wait)))
    }

    /// A failure of the extension itself: 500, and the text in the log.
    #[must_use]
    pub fn failed(detail: impl Into<String>) -> Self {
        Self::new(Kind::Failed(detail.into().into()))
    }

    /// What people may read of it: the words of the extension where it chose them for callers, and of any other failure that
    /// the server's log tells more. Whoever goes on after an error writes that log.
    #[must_use]
    pub fn public(&self) -> String {
        match self.kind() {
            Kind::Failed(_) => "it failed; the server's log tells why".to_owned(),
            _ => self.to_string(),
        }
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }

    pub(crate) fn into_kind(self) -> Kind {
        *self.0
    }
}

/// Every error becomes a failure of the extension, which is why this type is not an error itself.
impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self::new(Kind::Failed(Box::new(error)))
    }
}

impl fmt::Display for Error {
    /// The whole chain, each cause behind a colon.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            Kind::Veto(text)
            | Kind::NotFound(text)
            | Kind::Invalid(text)
            | Kind::Conflict(text)
            | Kind::Unauthorized(text)
            | Kind::Unavailable(text, _) => formatter.write_str(text),
            Kind::Mistakes(mistakes) => formatter.write_str(&Mistake::all(mistakes)),
            Kind::Failed(error) => formatter.write_str(&crate::error::chain(&**error)),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}
