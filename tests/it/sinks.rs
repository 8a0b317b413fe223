//! Two extensions that hear of monitoring points, where the settings name a channel; a test says there how they answer.

use axum::http::header;
use rivetgun::prelude::*;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The settings of both.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct SinkSettings {
    channel: Option<String>,
}

/// What a sink makes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Play {
    Written,
    Unavailable,
    Poison,
    Panic,
    Hang,
}

type Plays = Box<dyn FnMut(&[Point]) -> Play + Send>;

/// Where a test and a sink meet.
#[derive(Clone)]
pub(crate) struct Channel(Arc<Mutex<Inner>>);

struct Inner {
    plays: Plays,
    /// The batches that were offered, with what was made of them.
    offered: Vec<(Vec<Point>, Play)>,
}

static CHANNELS: Mutex<BTreeMap<String, Channel>> = Mutex::new(BTreeMap::new());

impl Channel {
    /// Opens a channel anew, for a sink that writes everything.
    pub(crate) fn open(name: &str) -> Self {
        let channel = Self(Arc::new(Mutex::new(Inner { plays: Box::new(|_| Play::Written), offered: Vec::new() })));
        lock(&CHANNELS).insert(name.to_owned(), channel.clone());
        channel
    }

    /// How the sink answers from now on.
    pub(crate) fn plays(&self, plays: impl FnMut(&[Point]) -> Play + Send + 'static) {
        lock(&self.0).plays = Box::new(plays);
    }

    /// The batches that were offered so far, with what was made of them.
    pub(crate) fn offered(&self) -> Vec<(Vec<Point>, Play)> {
        lock(&self.0).offered.clone()
    }

    /// The points of a series that were written so far, in order.
    pub(crate) fn written(&self, series: &str) -> Vec<Point> {
        let written = self.offered().into_iter().filter(|(_, play)| *play == Play::Written);
        written.flat_map(|(points, _)| points).filter(|point| point.series() == series).collect()
    }

    fn hear(&self, points: &[Point]) -> Play {
        let mut inner = lock(&self.0);
        let play = (inner.plays)(points);
        inner.offered.push((points.to_vec(), play));
        play
    }
}

async fn hear(settings: &SinkSettings, points: &[Point]) -> Result<()> {
    let channel = settings.channel.as_ref().and_then(|name| lock(&CHANNELS).get(name).cloned());
    let Some(channel) = channel else { return Ok(()) };
    match channel.hear(points) {
        Play::Written => Ok(()),
        Play::Unavailable => Err(Error::unavailable("the sink is away")),
        Play::Poison => Err(Error::failed("the sink does not take this")),
        Play::Panic => panic!("the sink panics"),
        Play::Hang => std::future::pending().await,
    }
}

#[derive(Debug, Default)]
struct FirstSink;

#[extension(name = "first_sink", version = "1.0.0", description = "Hears of points", settings = SinkSettings)]
impl Extension for FirstSink {
    fn urls(&self) -> Urls {
        urls! {
            r"/first_sink/measure/(?P<what>[a-z]+)(?:/(?P<count>\d{1,4}))?/?" => get(measure),
            "/first_sink/teapot" => get(teapot),
            "/first_sink/heard" => get(heard),
            "/first_sink/wait" => get(wait),
        }
    }

    fn monitors(&self, cx: &SetupContext<'_>) -> bool {
        cx.settings::<Self>().channel.is_some()
    }

    async fn on_monitoring(&self, cx: &ExtensionContext, points: &[Point]) -> Result<()> {
        hear(cx.settings::<Self>(), points).await
    }
}

#[derive(Debug, Default)]
struct SecondSink;

#[extension(name = "second_sink", version = "1.0.0", description = "Hears of points too", settings = SinkSettings)]
impl Extension for SecondSink {
    fn monitors(&self, cx: &SetupContext<'_>) -> bool {
        cx.settings::<Self>().channel.is_some()
    }

    async fn on_monitoring(&self, cx: &ExtensionContext, points: &[Point]) -> Result<()> {
        hear(cx.settings::<Self>(), points).await
    }
}

#[derive(Deserialize)]
struct Wanted {
    what: String,
    count: Option<i64>,
}

/// Adds to the point of its request, and sends so many of its own.
async fn measure(cx: ExtensionContext, point: RequestPoint, Path(wanted): Path<Wanted>) -> StatusCode {
    point.tag("what", wanted.what.as_str());
    point.tag("status_code", "made up");
    point.field("count", wanted.count.unwrap_or_default());
    for number in 0..wanted.count.unwrap_or_default() {
        cx.monitor(
            Point::new("measured")
                .at(cx.now())
                .tag("what", wanted.what.as_str())
                .tag("unit", number)
                .field("number", number),
        );
    }
    StatusCode::NO_CONTENT
}

/// An error that is none of the server's.
async fn teapot() -> impl IntoResponse {
    (StatusCode::IM_A_TEAPOT, [(header::CONTENT_TYPE, "application/json")], "{}")
}

/// Waits for ever.
async fn wait(cx: ExtensionContext) -> StatusCode {
    cx.monitor(Point::new("waits").field("since", cx.now().to_rfc3339()));
    std::future::pending().await
}

async fn heard(cx: ExtensionContext) -> Json<bool> {
    Json(cx.is_monitored())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
