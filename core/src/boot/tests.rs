//! What a person reads when the extensions of a build cannot be together.

use super::Linked;
use crate::{
    extension::{Described, EventTypes, Extension, Metadata, NoSettings, Registration, Urls, get},
    settings::Settings,
};

/// Extensions that are not linked into anything: their URLs, each at a line of its own.
macro_rules! extensions {
    ($($type:ident $name:literal after $after:expr => [$($pattern:literal $line:literal),*];)+) => {
        $(
            #[derive(Default)]
            struct $type;

            impl Described for $type {
                type Settings = NoSettings;
                const METADATA: &'static Metadata = &Metadata {
                    name: $name,
                    version: "1.0.0",
                    description: "",
                    url: "",
                    krate: $name,
                    file: concat!($name, "/src/lib.rs"),
                    line: 9,
                    priority: 0,
                    after: &$after,
                    requires: &[],
                    overrides: &["urls"],
                };
            }

            impl Extension for $type {
                fn urls(&self) -> Urls {
                    Urls::new()$(.at($pattern, concat!($name, "/src/lib.rs"), $line, get(async || {}).post(async || {})))*
                }
            }
        )+
    };
}

extensions! {
    Volumes "volumes" after [] => [
        r"/volumes/(?P<node_id>\d+)/?" 21,
        r"/nodes/(?P<id>\d+)/volumes" 22,
        r"/volumes/(?P<name>[^/]+)" 23
    ];
    Names "names" after ["nowhere"] => [
        r"/(?P<kind>releases|quiet|volumes)/(?P<id>\d+)/" 31,
        r"/names\b(?P<rest>.*)" 32,
        r"/(?P<a>.)?(?P<b>.)?(?P<c>.)?(?P<d>.)?(?P<e>.)?" 33
    ];
    Quiet "quiet" after [] => [r"/quiet/(?P<id>\d+)" 41, "/names2?" 42];
}

fn problems(extensions: Vec<&Registration>) -> Option<String> {
    let settings = Settings::from_toml("").expect("settings");
    Linked::only(extensions, settings).err().map(|error| error.to_string())
}

const VOLUMES: Registration = Registration::of::<Volumes>();
const NAMES: Registration = Registration::of::<Names>();
const QUIET: Registration = Registration::of::<Quiet>();

#[test]
fn patterns_of_one_extension_may_overlap_and_those_of_others_keep_out_of_the_way() {
    assert_eq!(problems(vec![&VOLUMES, &QUIET]), None);
}

#[test]
fn every_clash_of_urls_is_told_with_all_else_that_is_wrong() {
    let told = problems(vec![&QUIET, &NAMES, &VOLUMES]).expect("problems");
    assert_eq!(Some(&told), problems(vec![&VOLUMES, &NAMES, &QUIET]).as_ref(), "the order of the linker is nothing");
    insta::assert_snapshot!(told);
}

/// Publishes what is not its own.
#[derive(Default)]
struct Racks;

impl Described for Racks {
    type Settings = NoSettings;
    const METADATA: &'static Metadata = &Metadata { name: "racks", overrides: &["events"], ..*Quiet::METADATA };
}

impl Extension for Racks {
    fn events(&self) -> EventTypes {
        let types = ["racks", "racks_doors", "nodes", "quiet_racks", "builds", "racks_Doors", "racks_doors"];
        types.into_iter().fold(EventTypes::new(), |types, kind| types.private(kind, "Something"))
    }
}

#[test]
fn an_extension_declares_types_of_events_of_its_own_and_each_once() {
    const RACKS: Registration = Registration::of::<Racks>();
    let told = problems(vec![&RACKS, &QUIET]).expect("problems");
    assert!(told.contains("5 problems"), "{told}");
    for part in [
        "`nodes`: it is one of the core",
        "`quiet_racks`: it belongs to `quiet`",
        "`builds`: it belongs to callers",
        "`racks_Doors`: `racks_Doors` is no word",
        "`racks_doors`: it is declared twice",
        "RG0121",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
}
