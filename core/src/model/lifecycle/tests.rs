//! The tables themselves; how reports move real nodes is `tests/it/lifecycle.rs`.

use super::*;
use proptest::prelude::*;
use std::fmt::Write;

const WORKS: [Work; 5] = [Work::Provision, Work::Deployment, Work::Stop, Work::Reset, Work::Removal];
const HAPPENINGS: [Happening; 4] = [Happening::Begins, Happening::Done, Happening::Erased, Happening::Failed];

/// The tables as ARCHITECTURE.md shows them.
fn drawn() -> String {
    let mut drawn = "| node: work | begins | done | wiped | failed |\n|---|---|---|---|---|\n".to_owned();
    for work in WORKS {
        let cell = |happening: Happening| {
            let steps = STEPS.iter().filter(|step| step.0 == work && step.1 == happening);
            let lines = steps.map(|(_, _, from, place)| {
                let from = from.iter().map(|from| from.as_str()).collect::<Vec<_>>().join(", ");
                match place {
                    Place::At(status) => format!("{from} → {status}"),
                    Place::Stays => format!("{from} →"),
                    Place::Gone => format!("{from} → (gone)"),
                }
            });
            lines.collect::<Vec<_>>().join("; ")
        };
        let cells = HAPPENINGS.map(cell).join(" | ");
        writeln!(drawn, "| {work} | {cells} |").expect("a text");
    }
    drawn.push_str("\n| of a cluster | goes to |\n|---|---|\n");
    for (from, to) in CLUSTERS {
        let to: Vec<&str> = to.iter().map(|to| to.as_str()).collect();
        writeln!(drawn, "| {from} | {} |", to.join(", ")).expect("a text");
    }
    drawn.push_str("\n| of a task | goes to |\n|---|---|\n");
    for (from, to) in TASKS {
        let to: Vec<&str> = to.iter().map(|to| to.as_str()).collect();
        writeln!(drawn, "| {from} | {} |", to.join(", ")).expect("a text");
    }
    drawn
}

#[test]
fn the_architecture_shows_the_tables_as_they_are() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../ARCHITECTURE.md");
    let architecture = std::fs::read_to_string(path).expect("it is there");
    assert!(architecture.contains(&drawn()), "ARCHITECTURE.md lacks:\n{}", drawn());
}

#[test]
fn a_node_has_one_place_to_go_and_work_that_began_can_end_well_and_badly() {
    for (index, (work, happening, from, _)) in STEPS.iter().enumerate() {
        for (other_work, other_happening, other_from, _) in &STEPS[index + 1..] {
            let same = work == other_work && happening == other_happening;
            assert!(!same || !from.iter().any(|from| other_from.contains(from)), "two places for {work} {happening:?}");
        }
        if *happening == Happening::Begins {
            for from in *from {
                let during = match step(*work, Happening::Begins, *from) {
                    Some(Place::At(status)) => status,
                    _ => *from,
                };
                for end in [Happening::Done, Happening::Failed] {
                    assert!(step(*work, end, during).is_some(), "{work} of a node in {during} cannot end: {end:?}");
                }
            }
        }
    }
}

fn task(name: TaskKind, status: TaskStatus, progress: i32, message: &str) -> Task {
    Task {
        id: 1,
        uuid: uuid::Uuid::nil(),
        cluster: None,
        name,
        status,
        progress,
        message: message.to_owned(),
        result: serde_json::Value::Null,
        parent_id: None,
        subtasks: Vec::new(),
        extension: None,
        dry_run: false,
        orchestrator: String::new(),
        server: uuid::Uuid::nil(),
        receipt: None,
        time_start: chrono::DateTime::UNIX_EPOCH,
        time_end: None,
    }
}

#[test]
fn parts_make_a_whole_as_in_the_reference() {
    use TaskKind::{Deploy, Deployment, NodeDeletion, Provision};
    use TaskStatus::{Error, Pending, Ready, Running};
    let whole = task(Deploy, Running, 0, "");
    let of = |parts: &[Task]| aggregate(&whole, parts);
    let provisioned = task(Provision, Ready, 100, "provisioned");
    // nailgun.md 7.3: provision 100, deployment 10 → 36
    assert_eq!(of(&[provisioned.clone(), task(Deployment, Running, 10, "")]), (Running, 36, String::new()));
    assert_eq!(aggregate(&task(Deploy, Pending, 0, ""), &[task(Provision, Pending, 0, "")]).0, Pending);
    let both = [provisioned.clone(), task(Deployment, Ready, 100, "deployed")];
    assert_eq!(of(&both), (Ready, 100, "provisioned\ndeployed".to_owned()));
    let failed = [provisioned, task(NodeDeletion, Error, 100, "broken"), task(Deployment, Error, 100, ABORTED)];
    assert_eq!(of(&failed), (Error, 100, "broken".to_owned()));
    let twice = [task(NodeDeletion, Error, 100, "broken"), task(Deployment, Error, 100, "broken")];
    assert_eq!(of(&twice).2, "broken", "what several say is said once");
}

#[test]
fn the_progress_of_a_whole_never_goes_back_and_is_100_at_the_end_only() {
    let whole = task(TaskKind::Deploy, TaskStatus::Running, 70, "");
    let parts = [task(TaskKind::Provision, TaskStatus::Running, 10, "")];
    assert_eq!(aggregate(&whole, &parts).1, 70);
    let parts = [task(TaskKind::Provision, TaskStatus::Running, 100, "")];
    assert_eq!(aggregate(&whole, &parts).1, 99);
}

fn statuses() -> impl Strategy<Value = NodeStatus> {
    prop::sample::select(vec![Discover, Provisioning, Provisioned, Deploying, Ready, Error, Stopped, Removing])
}

fn news() -> impl Strategy<Value = News> {
    let end = prop::sample::select(vec![Happening::Done, Happening::Erased, Happening::Failed]);
    prop_oneof![any::<u8>().prop_map(News::Progress), end.prop_map(|happening| News::Ended(happening, None))]
}

proptest! {
    #[test]
    fn a_part_never_goes_back_and_its_end_is_its_end(
        work in prop::sample::select(WORKS.to_vec()),
        status in statuses(),
        heard in prop::collection::vec(news(), 0..20),
    ) {
        let mut part = TaskNode { node: 1, status, progress: 0, message: None, roles: Vec::new() };
        for news in heard.iter().chain(&heard) {
            let Some((next, place)) = part.hear(work, news) else { continue };
            prop_assert!(part.is_open() && next.progress > part.progress);
            prop_assert!(part.status.may_become(next.status));
            if let Place::At(status) = place {
                prop_assert!(!next.is_open() && next.status == status);
            }
            prop_assert!(next.hear(work, news).is_none(), "the same again is no news");
            part = next;
        }
    }
}
