//! What goes wrong in its life, as its settings want.

use crate::settings::{Fault, Settings, Work};
use rivetgun::prelude::*;
use std::{
    fs::File,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

pub(crate) fn validate(settings: &Settings) -> Result<()> {
    if settings.invalid { Err(Error::invalid("the faulty extension finds its settings invalid")) } else { Ok(()) }
}

/// A step of its life.
pub(crate) async fn pass(settings: &Settings, step: &str, fault: Fault) -> Result<()> {
    note(settings, step)?;
    match fault {
        Fault::None => Ok(()),
        Fault::Error => Err(Error::failed("the inner secret of the faulty extension")),
        Fault::Away => Err(Error::unavailable("what it needs is away")),
        Fault::Panic => panic!("the inner secret of the faulty extension"),
        Fault::Hang => std::future::pending().await,
        Fault::Block => loop {
            std::thread::park();
        },
    }
}

/// Its background work.
pub(crate) fn work(cx: &StartContext, work: Work) {
    let is_again = Arc::new(AtomicBool::new(false));
    if work == Work::None {
        return;
    }
    cx.spawn("faulty work", move |cx| {
        let is_first = !is_again.swap(true, Ordering::Relaxed);
        async move {
            match work {
                Work::Error if is_first => return Err(Error::failed("the inner secret of the faulty extension")),
                Work::Panic if is_first => panic!("the inner secret of the faulty extension"),
                Work::None | Work::Short => return Ok(()),
                Work::Deaf => std::future::pending().await,
                Work::Endless | Work::Error | Work::Panic => {}
            }
            cx.stopping().await;
            note(cx.settings::<crate::Faulty>(), "work ends")
        }
    });
}

fn note(settings: &Settings, step: &str) -> Result<()> {
    if let Some(diary) = &settings.diary {
        writeln!(File::options().create(true).append(true).open(diary)?, "{step}")?;
    }
    Ok(())
}
