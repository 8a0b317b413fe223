//! The arithmetic of layouts: the numbers of Nailgun, and what holds for any disks and roles.

use crate::{
    defaults,
    disk::Disk,
    hardware::Hardware,
    plan::{self, Plan},
    settings::VolumeSettings,
    spaces,
};
use proptest::prelude::*;
use rivetgun::prelude::{Object, Value, json};
use std::fmt::Write;

fn settings(toml: &str) -> Result<VolumeSettings, String> {
    toml::from_str(toml).map_err(|error| error.to_string())
}

fn built_in() -> VolumeSettings {
    settings("").expect("the defaults are settings")
}

/// Disks of so many MiB, named `sda`, `sdb`, …, and memory of so many.
fn machine(sizes: &[u64], memory: u64) -> Hardware {
    let disks =
        sizes.iter().zip('a'..).map(|(size, letter)| json!({"name": format!("sd{letter}"), "size": size << 20}));
    let meta = json!({"disks": disks.collect::<Value>(), "memory": {"total": memory << 20}});
    Hardware::of(meta.as_object().expect("an object")).expect("good disks")
}

fn plan<'a>(settings: &'a VolumeSettings, roles: &[&str], hardware: Hardware, attributes: &Value) -> Plan<'a> {
    let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
    let wanted = plan::wanted(settings, &roles, attributes.as_object().unwrap_or(&Object::new()));
    Plan::new(settings, hardware, wanted)
}

#[test]
fn the_layouts_of_roles_and_disks_are_those_of_nailgun() {
    let settings = built_in();
    let mut table = String::new();
    let images_in_ceph = json!({"storage": {"images_ceph": true}});
    let one: &[u64] = &[102_400];
    let four: &[u64] = &[953_869, 953_869, 953_869, 0];
    for (roles, sizes, memory, attributes) in [
        (&["controller"][..], one, 8192, json!({})),
        (&["primary-controller"], one, 8192, images_in_ceph),
        (&["compute"], one, 8192, json!({})),
        (&["cinder"], one, 8192, json!({})),
        (&["controller"], four, 131_072, json!({})),
        (&["compute"], four, 131_072, json!({})),
        (&["ceph-osd"], four, 131_072, json!({})),
        (&["ceph-osd"], one, 8192, json!({})),
        (&["primary-mongo"], four, 131_072, json!({})),
        (&["compute", "cinder"], &[102_400, 51_200], 1024, json!({})),
        (&["controller", "ceph-osd"], &[61_440, 30_720, 204_800], 16_384, json!({})),
        (&["cinder-block-device"], &[30_720, 204_800], 4096, json!({})),
        (&["something-else"], &[30_720, 204_800], 4096, json!({})),
        (&["controller"], &[499, 500, 800, 958], 2048, json!({})),
        (&["compute"], &[], 2048, json!({})),
    ] {
        let plan = plan(&settings, roles, machine(sizes, memory), &attributes);
        let disks = plan.default_disks();
        writeln!(
            table,
            "{} on {sizes:?}, {memory} of memory{}",
            roles.join(", "),
            if plan.suffices(&disks) { "" } else { ": too little" }
        )
        .expect("a text");
        for disk in &disks {
            let parts: Vec<String> = disk.volumes.iter().map(|part| format!("{} {}", part.name, part.size)).collect();
            writeln!(table, "    {} {}: {}, free {}", disk.name, disk.size, parts.join(", "), disk.free())
                .expect("a text");
        }
        for group in plan.spaces(&disks).as_array().into_iter().flatten().filter(|space| space["type"] == "vg") {
            let logical = group["volumes"].as_array().expect("a list").iter();
            let logical: Vec<String> =
                logical.map(|logical| format!("{} {}", logical["mount"], logical["size"])).collect();
            writeln!(table, "    {}: at least {}; {}", group["id"], group["min_size"], logical.join(", "))
                .expect("a text");
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn swap_follows_memory_and_root_follows_the_first_disk() {
    let settings = built_in();
    let system = |disk, memory| {
        let plan = plan(&settings, &["base-os"], machine(&[disk, 1_000_000], memory), &Value::Null);
        plan.min_size(plan.wanted[0].volume)
    };
    for (memory, swap) in [
        (0, 4096),
        (1024, 2048),
        (2048, 4096),
        (4096, 4096),
        (8192, 8192),
        (8194, 4097),
        (65_536, 32_768),
        (131_072, 4096),
    ] {
        assert_eq!(system(10_240, memory), 15_360 + swap, "{memory} MiB of memory");
    }
    for (disk, root) in [
        (0, 15_360),
        (76_800, 15_360),
        (102_400, 20_480),
        (200_003, 40_000),
        (256_000, 51_200),
        (u64::MAX >> 20, 51_200),
    ] {
        assert_eq!(system(disk, 4096), root + 4096, "a first disk of {disk} MiB");
    }
}

#[test]
fn disks_that_make_no_sense_are_told_all_at_once() {
    let read = |disks: Value| {
        let meta = json!({"disks": disks, "memory": "much"});
        Hardware::of(meta.as_object().expect("an object")).map_err(|error| error.to_string())
    };
    for (disks, told) in [
        (json!("many"), "meta.disks is not a list"),
        (json!({"sda": 1}), "meta.disks is not a list"),
        (json!([7]), "meta.disks[0] has neither `disk` nor `name`"),
        (json!([{"size": 1}]), "meta.disks[0] has neither `disk` nor `name`"),
        (json!([{"name": "sda"}]), "meta.disks[0].size is null, and not a number of bytes"),
        (json!([{"name": "sda", "size": -1}]), "meta.disks[0].size is -1, and not a number of bytes"),
        (json!([{"name": "sda", "size": 1e30}]), "meta.disks[0].size is 1e+30, and not a number of bytes"),
        (
            json!([{"name": "sda", "size": "big"}, {"name": 7, "size": 1}]),
            "meta.disks[0].size is \"big\", and not a number of bytes; meta.disks[1] has neither `disk` nor `name`",
        ),
        (json!([{"name": "sda", "size": 1}, {"disk": "sda", "size": 2}]), "meta.disks has the disk sda twice"),
    ] {
        assert_eq!(read(disks.clone()).expect_err("nonsense"), told, "{disks}");
    }
    for sense in
        [json!(null), json!([]), json!([{"name": "sr0", "removable": "1"}, {"removable": 1}, {"removable": true}])]
    {
        assert_eq!(read(sense), Ok(Hardware::default()));
    }
    let huge = json!([{"name": "b", "size": u64::MAX, "extra": ["x", 7]}, {"disk": "a", "size": 0, "removable": "0", "extra": 7}]);
    let found: Vec<(String, u64)> =
        read(huge).expect("sense").disks.into_iter().map(|disk| (disk.id, disk.size)).collect();
    assert_eq!(found, [("a".to_owned(), 0), ("b".to_owned(), (1 << 44) - 1)]);
}

#[test]
fn settings_stand_beside_what_is_built_in_and_their_mistakes_are_told_together() {
    let own = settings(
        r#"
        boot = 512
        root = { min = 1024 }
        roles.redis = [{ volume = "os", allocate = "min" }, { volume = "redis", allocate = "full-disk" }]
        roles.compute = [{ volume = "os", allocate = "all" }]
        [volumes.redis]
        label = "Redis"
        min_size = 100
        logical_volumes = [{ name = "redis", mount = "/var/lib/redis", file_system = "xfs" }]
        "#,
    )
    .expect("good settings");
    let names = |roles: &[&str]| {
        let plan = plan(&own, roles, machine(&[102_400, 102_400], 8192), &Value::Null);
        plan.default_disks()[0].volumes.iter().map(|part| part.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&["redis"]), ["os", "redis"]);
    assert_eq!(names(&["compute"]), ["os"]);
    assert_eq!(names(&["mongo"]), ["os", "mongo"]);
    let error =
        settings("root = { percent = 101, min = 9, max = 8 }\nroles.a = [{ volume = \"b\", allocate = \"min\" }]");
    let error = error.expect_err("bad settings");
    for part in ["the role `a` wants the volume `b`", "`root.min` is greater", "`root.percent` is greater"] {
        assert!(error.contains(part), "{error}");
    }
    settings("boot = -1").expect_err("a negative size");
    settings("roles.a = [{ volume = \"os\", allocate = \"some\" }]").expect_err("an unknown word");
}

#[test]
fn logical_volumes_that_would_share_one_space_are_refused_together() {
    let logical =
        |name: &str, size: &str| format!("{{ name = \"{name}\", mount = \"/{name}\", file_system = \"xfs\"{size} }}");
    let (rest, swap) = (logical("a", ""), logical("b", ", size = \"swap\""));
    let volume = |id: &str, more: &str| format!("[volumes.{id}]\nlabel = \"x\"\n{more}\n");
    let partition = "partition = { mount = \"none\", file_system = \"none\" }";
    let text = [
        volume("rests", &format!("logical_volumes = [{rest}, {rest}]")),
        volume("swaps", &format!("logical_volumes = [{swap}, {rest}, {swap}]")),
        volume("both", &format!("{partition}\nlogical_volumes = [{rest}]")),
        volume("good", &format!("logical_volumes = [{rest}, {swap}]")),
        volume("bare", partition),
    ];
    let error = settings(&text.concat()).expect_err("bad settings");
    for part in [
        "the volume `rests` has several logical volumes of the size `rest`",
        "the volume `swaps` has several logical volumes of the size `swap`",
        "the volume `both` has `partition` and `logical_volumes`",
    ] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!error.contains("good") && !error.contains("bare"), "{error}");
}

#[test]
fn a_layout_suffices_only_where_each_disk_that_it_uses_is_there_and_holds_it() {
    let settings = built_in();
    let plan = |sizes: &[u64]| plan(&settings, &["compute"], machine(sizes, 8192), &Value::Null);
    let mut layout = plan(&[102_400, 102_400]).default_disks();
    assert!(plan(&[102_400, 102_400]).suffices(&layout));
    assert!(plan(&[102_400, 204_800]).suffices(&layout), "there is more than it uses");
    assert!(!plan(&[102_400, 51_200]).suffices(&layout), "the second disk is overfull, and the first one has enough");
    assert!(!plan(&[102_400]).suffices(&layout), "the second disk is gone, and the first one has enough");
    layout[1].volumes.iter_mut().for_each(|part| part.size = 0);
    assert!(plan(&[102_400]).suffices(&layout), "nothing was on the disk that is gone");
}

#[test]
fn a_node_starts_from_a_disk_that_is_there() {
    let settings = built_in();
    let plan = |sizes: &[u64]| plan(&settings, &["compute"], machine(sizes, 8192), &Value::Null);
    let mut known = plan(&[102_400, 102_400, 102_400]).default_disks();
    let bootable = |disks: Vec<Disk>| disks.iter().map(|disk| disk.bootable).collect::<Vec<_>>();
    (known[0].bootable, known[2].bootable) = (false, true);
    assert_eq!(bootable(plan(&[102_400, 102_400, 102_400]).fitted(&known)), [false, false, true]);
    assert_eq!(bootable(plan(&[102_400, 102_400]).fitted(&known)), [true, false]);
}

#[test]
fn where_the_system_must_be_on_one_disk_it_is_by_default_on_the_first_that_holds_it_or_else_on_the_largest() {
    let settings = built_in();
    for (roles, sizes, system) in [
        (&["compute"][..], &[20_480, 102_400, 204_800][..], &[0, 23_552, 0][..]),
        (&["compute"], &[102_400, 204_800], &[28_672, 0]),
        (&["compute"], &[10_240, 20_480, 20_480], &[0, 19_852, 0]),
        (&["something-else"], &[102_400, 102_400], &[101_836, 0]),
        (&["compute"], &[], &[]),
    ] {
        let plan = Plan { one_system_disk: true, ..plan(&settings, roles, machine(sizes, 8192), &Value::Null) };
        let disks = plan.default_disks();
        assert_eq!(disks.iter().map(|disk| disk.size_of("os")).collect::<Vec<_>>(), system, "{roles:?} on {sizes:?}");
        assert!(!plan.splits_the_system(&disks));
        let holds_it = disks.iter().any(|disk| disk.size_of("os") >= plan.min_size(plan.wanted[0].volume));
        assert_eq!(plan.suffices(&disks), holds_it, "{roles:?} on {sizes:?}");
    }
}

fn any_roles() -> impl Strategy<Value = Vec<String>> {
    let known: Vec<String> =
        defaults::roles().into_keys().chain(["primary-controller".into(), "unknown".into()]).collect();
    prop::collection::vec(prop::sample::select(known), 0..4)
}

fn any_sizes() -> impl Strategy<Value = Vec<u64>> {
    let size = prop_oneof![0..2_000u64, 10_000..200_000u64, 500_000..5_000_000u64, Just(u64::MAX >> 20)];
    prop::collection::vec(size, 0..6)
}

proptest! {
    #[test]
    fn the_parts_of_each_disk_add_up_to_its_size_and_nothing_is_lost_on_the_way_through_the_full_form(
        roles in any_roles(), sizes in any_sizes(), memory in 0..200_000u64, in_ceph in any::<bool>(),
    ) {
        let settings = built_in();
        let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
        let plan = plan(&settings, &roles, machine(&sizes, memory), &json!({"storage": {"images_ceph": in_ceph}}));
        let disks = plan.default_disks();
        let full = plan.spaces(&disks);
        prop_assert_eq!(&spaces::disks(&full), &disks);
        prop_assert_eq!(&plan.fitted(&disks), &disks);
        prop_assert!(adds_up(&full, &disks), "{}", full);
        // All that is left is taken, where a volume takes all; what is too small for its least size is told.
        let enough = plan.wanted.iter().all(|wanted| {
            disks.iter().map(|disk| disk.size_of(wanted.id)).sum::<u64>() >= plan.min_size(wanted.volume)
        });
        prop_assert_eq!(plan.suffices(&disks), enough && !disks.is_empty());
    }
}

/// Whether the parts of each disk, with what is free, add up to its size, and the logical volumes to what their group has.
fn adds_up(full: &Value, disks: &[Disk]) -> bool {
    let number = |value: &Value| value.as_u64().expect("a size");
    let spaces = full.as_array().expect("a list");
    let sum = |space: &Value| {
        space["volumes"].as_array().expect("a list").iter().map(|part| number(&part["size"])).sum::<u64>()
    };
    let of_disks = spaces.iter().filter(|space| space["type"] == "disk").zip(disks);
    let disks_add_up = of_disks.clone().all(|(space, disk)| sum(space) + disk.free() == number(&space["size"]));
    let mut groups = spaces.iter().filter(|space| space["type"] == "vg" && space["volumes"] != json!([]));
    let groups_add_up = groups.all(|group| {
        let id = group["id"].as_str().expect("a text");
        sum(group) == disks.iter().map(|disk| disk.size_of(id)).sum::<u64>()
    });
    of_disks.count() == disks.len() && disks_add_up && groups_add_up
}
