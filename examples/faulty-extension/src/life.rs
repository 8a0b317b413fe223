//! What goes wrong in its life, as its settings want.

use crate::settings::{Fault, Settings, Validation, Work};
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
    match settings.validate {
        Validation::None => Ok(()),
        Validation::Invalid => Err(Error::invalid("the faulty extension finds its settings invalid")),
        Validation::Block => block(),
    }
}

/// A step of its life.
pub(crate) async fn pass(cx: &ExtensionContext, step: &str, fault: Fault) -> Result<()> {
    note(cx, step)?;
    match fault {
        Fault::None => Ok(()),
        Fault::Error => Err(Error::failed("the inner secret of the faulty extension")),
        Fault::Away => Err(Error::unavailable("what it needs is away")),
        Fault::Panic => panic!("the inner secret of the faulty extension"),
        Fault::Hang => std::future::pending().await,
        Fault::Block => block(),
    }
}

fn block() -> ! {
    loop {
        std::thread::park();
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
            note(&cx, "work ends")
        }
    });
}

fn note(cx: &ExtensionContext, step: &str) -> Result<()> {
    if let Some(diary) = &cx.settings::<crate::Faulty>().diary {
        cx.monitor(Point::new("faulty_steps").field("step", step));
        writeln!(File::options().create(true).append(true).open(diary)?, "{step}")?;
    }
    Ok(())
}
