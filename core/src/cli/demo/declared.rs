//! What extensions declare for the demo is put where they find it. The contract suite does the same.

use crate::extension::Demo;
use std::path::{Component, Path};

/// Writes the files of a demo below `dir`, which is the extension's own; the section of the settings that it wants.
///
/// # Errors
/// What is wrong with the demo, for its author.
pub(crate) fn lay_out(demo: &Demo, dir: &Path) -> Result<toml::Table, String> {
    for (path, text) in &demo.files {
        if path.is_empty() || !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(format!("the file `{path}` of its demo does not stand below the directory of the demo"));
        }
        let target = dir.join(path);
        let written = target.parent().map_or(Ok(()), std::fs::create_dir_all);
        let written = written.and_then(|()| std::fs::write(&target, text));
        written.map_err(|error| format!("the file `{path}` of its demo cannot be written: {error}"))?;
    }
    let section: Result<toml::Table, _> = demo.settings.parse();
    let mut section = section.map_err(|error| format!("the settings of its demo are not TOML: {error}"))?;
    let dir = dir.display().to_string();
    section.iter_mut().for_each(|(_, value)| fill(value, &dir));
    Ok(section)
}

fn fill(value: &mut toml::Value, dir: &str) {
    match value {
        toml::Value::String(text) => *text = text.replace("{dir}", dir),
        toml::Value::Array(items) => items.iter_mut().for_each(|item| fill(item, dir)),
        toml::Value::Table(table) => table.iter_mut().for_each(|(_, value)| fill(value, dir)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::lay_out;
    use crate::extension::Demo;

    #[test]
    fn files_are_written_and_the_settings_know_where() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let demo = Demo::new().file("a/b.txt", "b").settings("root = '{dir}/a'\nmore = [{ at = '{dir}' }, 7]");
        let section = lay_out(&demo, dir.path()).expect("it is well-formed");
        let dir = dir.path().display().to_string();
        assert_eq!(std::fs::read_to_string(format!("{dir}/a/b.txt")).expect("the file"), "b");
        assert_eq!(section["root"].as_str(), Some(&*format!("{dir}/a")));
        assert_eq!(section["more"][0]["at"].as_str(), Some(&*dir));
    }

    #[test]
    fn what_cannot_be_laid_out_is_told() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (demo, told) in [
            (Demo::new().file("../out", ""), "`../out` of its demo does not stand below"),
            (Demo::new().file("/etc/motd", ""), "`/etc/motd` of its demo does not stand below"),
            (Demo::new().file("", ""), "`` of its demo does not stand below"),
            (Demo::new().settings("root ="), "are not TOML"),
        ] {
            let error = lay_out(&demo, dir.path()).expect_err("it is wrong");
            assert!(error.contains(told), "{error}");
        }
        assert_eq!(dir.path().read_dir().expect("the directory").count(), 0);
    }
}
