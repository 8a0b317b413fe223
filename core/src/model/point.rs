//! Points of monitoring: what was measured, when, and of what.

use chrono::{DateTime, Utc};
use serde::Serialize;
use std::{collections::BTreeMap, fmt, sync::Arc};

/// Something that was measured at one moment, for a monitoring system.
///
/// Tags are indexed there, to filter and group by, so each may have a few distinct values only: of one that has more than
/// the setting `monitoring.tag_values` allows, the others become `other`. What is measured, and ids, are fields.
///
/// Names are part of the code and not of the data, so that nobody can make up series. To clone a point costs nothing.
///
/// ```
/// # use rivetgun::prelude::*;
/// let point = Point::new("boots").tag("image", "debian-13").field("duration", 41.5).field("node_id", 7);
/// assert_eq!(point.tags()["image"], PointValue::from("debian-13"));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Point(Arc<Parts>);

/// The tags or the fields of a point, by name.
pub type PointValues = BTreeMap<&'static str, PointValue>;

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Parts {
    series: &'static str,
    time: DateTime<Utc>,
    tags: PointValues,
    fields: PointValues,
}

/// A value of a tag or a field.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum PointValue {
    /// A text.
    Text(Arc<str>),
    /// A whole number.
    Integer(i64),
    /// Any number; not every monitoring system takes one that is not finite.
    Float(f64),
    /// Yes or no.
    Boolean(bool),
}

impl Point {
    /// A point of a series, as of now, without tags and fields.
    #[must_use]
    pub fn new(series: &'static str) -> Self {
        Self(Arc::new(Parts { series, time: Utc::now(), tags: BTreeMap::new(), fields: BTreeMap::new() }))
    }

    /// As of another time: that at which what was measured began.
    #[must_use]
    pub fn at(mut self, time: DateTime<Utc>) -> Self {
        self.parts().time = time;
        self
    }

    /// Sets a tag.
    #[must_use]
    pub fn tag(mut self, name: &'static str, value: impl Into<PointValue>) -> Self {
        self.set_tag(name, value.into());
        self
    }

    /// Sets a field.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: impl Into<PointValue>) -> Self {
        self.parts().fields.insert(name, value.into());
        self
    }

    /// What kind of thing was measured.
    #[must_use]
    pub fn series(&self) -> &'static str {
        self.0.series
    }

    /// When it was measured, or began.
    #[must_use]
    pub fn time(&self) -> DateTime<Utc> {
        self.0.time
    }

    /// The tags, sorted by name.
    #[must_use]
    pub fn tags(&self) -> &PointValues {
        &self.0.tags
    }

    /// The fields, sorted by name.
    #[must_use]
    pub fn fields(&self) -> &PointValues {
        &self.0.fields
    }

    /// With these tags and fields besides its own.
    pub(crate) fn with(mut self, tags: PointValues, fields: PointValues) -> Self {
        let parts = self.parts();
        parts.tags.extend(tags);
        parts.fields.extend(fields);
        self
    }

    pub(crate) fn set_tag(&mut self, name: &'static str, value: PointValue) {
        self.parts().tags.insert(name, value);
    }

    /// The parts, to change: those of others who have the same point stay what they are.
    fn parts(&mut self) -> &mut Parts {
        Arc::make_mut(&mut self.0)
    }
}

impl fmt::Display for PointValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(formatter),
            Self::Integer(number) => number.fmt(formatter),
            Self::Float(number) => number.fmt(formatter),
            Self::Boolean(is_so) => is_so.fmt(formatter),
        }
    }
}

/// Writes `From` for types that become a kind of value without loss.
macro_rules! from {
    ($($type:ty => $kind:ident,)+) => {
        $(impl From<$type> for PointValue {
            fn from(value: $type) -> Self {
                Self::$kind(value.into())
            }
        })+
    };
}

from! {
    &str => Text, String => Text, Arc<str> => Text,
    i64 => Integer, i32 => Integer, u32 => Integer, i16 => Integer, u16 => Integer, u8 => Integer,
    f64 => Float, f32 => Float,
    bool => Boolean,
}
