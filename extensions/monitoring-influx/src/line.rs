//! The line protocol of InfluxDB: `series,tag=value field=1i,other="text" 1767261600000000000`.

use chrono::{DateTime, Utc};
use rivetgun::prelude::*;
use std::{
    fmt::Write,
    hash::{DefaultHasher, Hash, Hasher},
};

/// The lines of points.
///
/// # Errors
/// When a point among them has no line.
pub(crate) fn lines(points: &[Point]) -> Result<String> {
    let mut lines = String::new();
    for point in points {
        append(&mut lines, point)?;
    }
    Ok(lines)
}

fn append(lines: &mut String, point: &Point) -> Result<()> {
    let time = nanoseconds(point)?;
    name(lines, point.series(), &[',', ' ']);
    for (tag, value) in point.tags() {
        let (start, text) = (lines.len(), value.to_string());
        lines.push(',');
        name(lines, tag, &[',', '=', ' ']);
        lines.push('=');
        let begin = lines.len();
        name(lines, &text, &[',', '=', ' ']);
        if lines.len() == begin {
            // There are no empty values; a tag without one is not there.
            lines.truncate(start);
        }
    }
    let mut separator = ' ';
    for (field, value) in point.fields().iter().filter(|(_, value)| is_writable(value)) {
        lines.push(separator);
        separator = ',';
        name(lines, field, &[',', '=', ' ']);
        lines.push('=');
        write_value(lines, value)?;
    }
    if separator == ' ' {
        return Err(Error::invalid(format!(
            "a point of the series `{}` has no field that can be written",
            point.series()
        )));
    }
    writeln!(lines, " {time}")?;
    Ok(())
}

/// Appends the name of something, or the value of a tag. A backslash at its end would take the sign behind it along, and
/// control characters would end the line or its part: neither can be written.
fn name(lines: &mut String, text: &str, escaped: &[char]) {
    for letter in text.trim_end_matches(|letter: char| letter == '\\' || letter.is_control()).chars() {
        let letter = if letter.is_control() { ' ' } else { letter };
        if escaped.contains(&letter) {
            lines.push('\\');
        }
        lines.push(letter);
    }
}

/// InfluxDB has no number that is not finite.
fn is_writable(value: &PointValue) -> bool {
    !matches!(value, PointValue::Float(number) if !number.is_finite())
}

fn write_value(lines: &mut String, value: &PointValue) -> Result<()> {
    match value {
        PointValue::Text(text) => {
            lines.push('"');
            for letter in text.chars() {
                if matches!(letter, '"' | '\\') {
                    lines.push('\\');
                }
                lines.push(letter);
            }
            lines.push('"');
        }
        PointValue::Integer(number) => write!(lines, "{number}i")?,
        PointValue::Float(number) => write!(lines, "{number}")?,
        PointValue::Boolean(is_so) => write!(lines, "{is_so}")?,
    }
    Ok(())
}

/// The time of a point. Two points of the same time and tags are one to InfluxDB, which keeps the later. Where the time is
/// known to the microsecond only, as that of requests is, a part below is made of the fields: the same point has the same
/// time whenever it is written, and two points hardly ever have.
fn nanoseconds(point: &Point) -> Result<i64> {
    let time: DateTime<Utc> = point.time();
    let whole = time.timestamp_nanos_opt().ok_or_else(|| Error::invalid(format!("{time} is no time to InfluxDB")))?;
    if whole % 1_000 != 0 {
        return Ok(whole);
    }
    let mut hasher = DefaultHasher::new();
    for (field, value) in point.fields() {
        (field, value.to_string()).hash(&mut hasher);
    }
    let below = i64::try_from(hasher.finish() % 1_000).unwrap_or_default();
    Ok(whole.saturating_add(below))
}

#[cfg(test)]
mod tests {
    use super::lines;
    use rivetgun::prelude::*;

    /// At a time with nanoseconds, so that nothing is made up.
    fn point(series: &'static str) -> Point {
        Point::new(series).at("2026-01-01T10:00:00.250000007Z".parse().expect("a time"))
    }

    #[track_caller]
    fn check(point: Point, expected: &str) {
        assert_eq!(lines(&[point]).expect("a line"), format!("{expected} 1767261600250000007\n"));
    }

    #[test]
    fn each_kind_of_value_is_written_in_its_own_way() {
        let all = point("boots").tag("image", "debian").tag("port", 80).tag("ok", true).tag("share", 0.5);
        let all = all.field("i", -7).field("f", 41.5).field("whole", 2.0).field("b", false).field("s", "x y");
        check(all, r#"boots,image=debian,ok=true,port=80,share=0.5 b=false,f=41.5,i=-7i,s="x y",whole=2"#);
    }

    #[test]
    fn what_has_a_meaning_of_its_own_is_escaped() {
        check(point("a, b=c").field("f", 1), r"a\,\ b=c f=1i");
        check(point("s").tag("a,b=c d", r"x,y=z w\v").field("k,=e y", 1), r"s,a\,b\=c\ d=x\,y\=z\ w\v k\,\=e\ y=1i");
        check(point("s").field("f", "a\"b\\c\nd,e=f"), "s f=\"a\\\"b\\\\c\nd,e=f\"");
    }

    #[test]
    fn what_cannot_be_written_is_left_out() {
        check(point("s").tag("empty", "").tag("slash", r"c:\").field("f", 1), r"s,slash=c: f=1i");
        check(point("s").tag("only", "\\\\").tag("lines", "a\nb\t").field("f", 1), r"s,lines=a\ b f=1i");
        check(point("s").field("nan", f64::NAN).field("inf", f64::INFINITY).field("f", 1.5), "s f=1.5");
    }

    #[test]
    fn a_point_without_a_line_is_told_of() {
        for empty in [point("s"), point("s").tag("t", 1), point("s").field("f", f64::NAN)] {
            let error = lines(&[point("good").field("f", 1), empty]).expect_err("no line");
            assert_eq!(error.to_string(), "a point of the series `s` has no field that can be written");
        }
        let late = point("s").at("2300-01-01T00:00:00Z".parse().expect("a time")).field("f", 1);
        assert!(lines(&[late]).expect_err("no line").to_string().ends_with("is no time to InfluxDB"));
    }

    #[test]
    fn points_of_the_same_microsecond_have_times_of_their_own_that_stay_the_same() {
        let at =
            |id: &str| lines(&[Point::new("s").at("2026-01-01T10:00:00.25Z".parse().expect("a time")).field("id", id)]);
        let time = |id| at(id).expect("a line").split(' ').next_back().expect("a time").trim_end().to_owned();
        let (one, other) = (time("one"), time("other"));
        assert!(one != other && one == time("one"), "{one} {other}");
        assert!(one.starts_with("1767261600250000") && other.starts_with("1767261600250000"));
    }

    proptest::proptest! {
        #[test]
        fn whatever_stands_in_a_point_is_one_line(tag in ".*", field in ".*") {
            let text = lines(&[point("s").tag("t", tag.as_str()).field("f", field.as_str())]).expect("a line");
            let read = read(text.strip_suffix(" 1767261600250000007\n").expect("the time at the end"));
            let visible = |letter: char| if letter.is_control() { ' ' } else { letter };
            let tag = tag.trim_end_matches(|letter: char| letter == '\\' || letter.is_control()).chars().map(visible);
            proptest::prop_assert_eq!(read, (tag.collect::<String>(), field));
        }
    }

    /// The tag and the field of a line, read as InfluxDB does: a sign is escaped by a backslash before it.
    fn read(line: &str) -> (String, String) {
        let line = line.strip_prefix('s').expect("the series");
        let letters: Vec<char> = line.chars().collect();
        let end =
            (0..letters.len()).find(|place| letters[*place] == ' ' && (*place == 0 || letters[place - 1] != '\\'));
        let end = end.expect("the end of the tags");
        let tags: String = letters[..end].iter().collect();
        let fields: String = letters[end + 1..].iter().collect();
        let tag = tags.strip_prefix(",t=").unwrap_or_default();
        assert_eq!(tag.is_empty(), tags.is_empty());
        let tag = [",", "=", " "].iter().fold(tag.to_owned(), |tag, sign| tag.replace(&format!("\\{sign}"), sign));
        let quoted = fields.strip_prefix("f=\"").and_then(|text| text.strip_suffix('"')).expect("a field");
        let (mut field, mut letters) = (String::new(), quoted.chars());
        while let Some(letter) = letters.next() {
            assert_ne!(letter, '"', "{line}");
            field.push(if letter == '\\' { letters.next().expect("what is escaped") } else { letter });
        }
        (tag, field)
    }
}
