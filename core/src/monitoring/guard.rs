//! The limit on the distinct values of a tag: an id that somebody made a tag must not fill a monitoring system's index.

use crate::model::{Point, PointValue};
use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write,
};

/// What stands for all values beyond the limit.
const OTHER: &str = "other";

/// The values that a sink has seen, by series and tag. A series and a tag have names that stand in the code, so that there
/// are few of them.
#[derive(Debug)]
pub(super) struct Guard {
    limit: usize,
    seen: BTreeMap<(&'static str, &'static str), HashSet<Box<str>>>,
    /// A value that is being looked up; kept, so that a value which is known costs no allocation.
    value: String,
}

impl Guard {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, seen: BTreeMap::new(), value: String::new() }
    }

    /// Replaces the values of tags that are beyond the limit; the names of these tags.
    pub(super) fn check(&mut self, point: &mut Point) -> Vec<&'static str> {
        let series = point.series();
        let beyond: Vec<&'static str> = point
            .tags()
            .iter()
            .filter(|(name, value)| self.is_beyond(series, name, value))
            .map(|(name, _)| *name)
            .collect();
        for name in &beyond {
            point.set_tag(name, OTHER.into());
        }
        beyond
    }

    fn is_beyond(&mut self, series: &'static str, tag: &'static str, value: &PointValue) -> bool {
        self.value.clear();
        if write!(self.value, "{value}").is_err() {
            return true;
        }
        let seen = self.seen.entry((series, tag)).or_default();
        if seen.contains(self.value.as_str()) {
            return false;
        }
        if seen.len() >= self.limit {
            return self.value != OTHER;
        }
        seen.insert(self.value.as_str().into());
        false
    }
}

#[cfg(test)]
mod tests {
    use super::Guard;
    use crate::model::{Point, PointValue};

    #[test]
    fn values_beyond_the_limit_become_other_for_each_series_and_tag_by_itself() {
        let mut guard = Guard::new(2);
        let mut checked = |series, rack: i64, room: &str| {
            let mut point = Point::new(series).tag("rack", rack).tag("room", room).field("temperature", 20.5);
            let beyond = guard.check(&mut point);
            (point.tags()["rack"].clone(), beyond)
        };
        for rack in [1, 2, 1, 2] {
            assert_eq!(checked("racks", rack, "a"), (PointValue::Integer(rack), vec![]));
        }
        assert_eq!(checked("racks", 3, "a"), (PointValue::from("other"), vec!["rack"]));
        assert_eq!(checked("racks", 1, "a"), (PointValue::Integer(1), vec![]));
        assert_eq!(checked("boots", 3, "a"), (PointValue::Integer(3), vec![]));
    }

    #[test]
    fn what_was_replaced_is_replaced_for_one_sink_and_not_for_another() {
        let mut point = Point::new("racks").tag("rack", 1).field("height", 42);
        let same = point.clone();
        assert_eq!(Guard::new(0).check(&mut point), ["rack"]);
        assert_eq!((&point.tags()["rack"], &same.tags()["rack"]), (&"other".into(), &1.into()));
    }
}
