//! What the database does for an extension happens on the runtime of the server, wherever the extension itself is polled: a
//! connection, a lock or the turn to write that was given to a thread which the extension blocks would be nobody's any more.

use crate::principal;
use sea_orm::DbErr;
use std::panic::resume_unwind;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

/// Does something on the runtime, as whoever does it here. It is dropped when nobody waits for it any more.
pub(super) async fn on_runtime<T, E>(work: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<DbErr> + Send + 'static,
{
    let work = principal::acting(principal::current(), work).in_current_span();
    match AbortOnDropHandle::new(tokio::spawn(work)).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(DbErr::Custom("the server ends".to_owned()).into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{DbErr, on_runtime};
    use std::{sync::mpsc, time::Duration};
    use tokio::runtime::{Builder, Handle};

    #[test]
    fn what_was_begun_is_ended_although_whoever_waits_for_it_blocks_its_thread() {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let (tell, told) = mpsc::channel();
        let ends = async move {
            tokio::task::yield_now().await;
            tell.send(()).expect("it is heard");
            Ok::<_, DbErr>(())
        };
        let blocks = async move {
            let mut waits = Box::pin(on_runtime(ends));
            assert!(futures_util::poll!(&mut waits).is_pending());
            told.recv_timeout(Duration::from_secs(10)).expect("it ends");
            waits.await
        };
        let runs = |handle: Handle| move || handle.block_on(blocks);
        std::thread::spawn(runs(runtime.handle().clone())).join().expect("it ends").expect("it goes well");
    }
}
