//! How the command line speaks.

use super::CliError;
use anstyle::{AnsiColor, Style};
use std::io::Write;

pub(super) const STRONG: Style = Style::new().bold();
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default();
pub(super) const NAME: Style = AnsiColor::Cyan.on_default();

/// Writes a line of the result.
pub(super) fn say(line: impl std::fmt::Display) -> Result<(), CliError> {
    writeln!(anstream::stdout(), "{line}").map_err(CliError::Output)
}

/// Tells why the command failed. The first line is the error; what follows is indented below it.
pub(super) fn complain(message: &str) {
    let style = BAD.bold();
    // With standard error gone there is nobody left to tell.
    drop(writeln!(anstream::stderr(), "{style}error:{style:#} {message}"));
}

/// A table with its columns aligned, two blanks between them.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
