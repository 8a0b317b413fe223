//! The section `[extensions]`: which of those that are linked are active, and a section for each of them.

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use std::{collections::BTreeMap, fmt};

/// `[extensions]` with `active`, `required`, and `[extensions.<name>]` in the extension's own type.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExtensionSettings {
    /// The extensions that are loaded; where nothing is said, all that are linked.
    pub(crate) active: Option<Vec<String>>,
    /// Without these the server does not start.
    pub(crate) required: Vec<String>,
    /// A section for each extension, by name.
    pub(crate) sections: BTreeMap<String, toml::Table>,
}

/// By hand: `#[serde(flatten)]` would forget at which line of the file a mistake is.
impl<'de> Deserialize<'de> for ExtensionSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = ExtensionSettings;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("`active`, `required` and a section for each extension")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut settings = ExtensionSettings::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "active" => settings.active = Some(map.next_value()?),
                        "required" => settings.required = map.next_value()?,
                        _ => drop(settings.sections.insert(key, map.next_value()?)),
                    }
                }
                Ok(settings)
            }
        }

        deserializer.deserialize_map(Keys)
    }
}
