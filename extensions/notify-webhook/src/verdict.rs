//! What becomes of an event that a target did not take.

use rivetgun::prelude::*;
use rivetgun_outbound::{Failure, may_pass};

/// What the engine is told of a failure: whether to try the same again, and when.
///
/// The rule: whatever is about the moment, or about the target and its settings, is tried again, since the moment passes and
/// a person can mend the rest. What is about the event itself will be the same the next time.
pub(crate) fn verdict(place: &str, failure: &Failure) -> Error {
    let reason = format!("{place}: {failure}");
    match failure {
        Failure::Answered { status, .. } if is_final(*status) => veto(reason),
        Failure::NotPublic(_) => Error::unavailable(format!("{reason} below the target")),
        _ => match failure.wait() {
            Some(wait) => Error::unavailable_for(wait, reason),
            None => Error::unavailable(reason),
        },
    }
}

/// Whether the receiver will never take this event: a 4xx, unless it is about who asks where and when.
fn is_final(status: StatusCode) -> bool {
    status.is_client_error()
        && !may_pass(status)
        && !matches!(status.as_u16(), 401 | 402 | 403 | 404 | 405 | 407 | 421 | 423 | 426)
}

#[cfg(test)]
mod tests {
    use super::is_final;
    use rivetgun::prelude::StatusCode;

    #[test]
    fn only_what_is_the_event_s_own_fault_is_final() {
        for (status, expected) in [
            (301, false),
            (307, false),
            (400, true),
            (401, false),
            (403, false),
            (404, false),
            (408, false),
            (409, true),
            (410, true),
            (413, true),
            (415, true),
            (422, true),
            (425, false),
            (429, false),
            (500, false),
            (503, false),
        ] {
            assert_eq!(is_final(StatusCode::from_u16(status).expect("a status")), expected, "{status}");
        }
    }
}
