//! How many placement groups the pools of a Ceph cluster get.
//!
//! They are made once, with the cluster, so that all of its nodes count, whichever are worked on now.
//!
//! - An OSD is a disk with a partition `ceph` on a node with the role `ceph-osd`.
//! - Where no service keeps its data in Ceph, all pools get 100 groups an OSD, divided by the replicas, rounded up to a power
//!   of two; 128 where there is no OSD yet.
//! - Otherwise there are 200 groups an OSD, divided by the replicas. A small pool gets the default: one group an OSD, divided by
//!   the replicas, rounded up to a power of two, and no less than 64. The object store has four small pools. What is left is
//!   shared by the large pools in proportion to their weights, each share rounded up to a power of two, and no less than the
//!   default.

use crate::{VolumeManager, layouts::Layouts, plan::kind_of, spaces};
use rivetgun::prelude::*;
use std::collections::BTreeMap;

/// Deployment: `storage.pg_num` and `storage.per_pool_pg_nums`, where `storage.osd_pool_size` says how many replicas there are.
pub(crate) struct PlacementGroups;

/// How many OSDs the cluster has.
struct Osds(u64);

/// The large pools with their weights, and the attribute of `storage` that tells whether the pool is used.
const LARGE_POOLS: [(&str, u64, &str); 5] = [
    ("volumes", 16, "volumes_ceph"),
    ("compute", 8, "ephemeral_ceph"),
    ("backups", 4, "volumes_ceph"),
    (".rgw", 4, "objects_ceph"),
    ("images", 1, "images_ceph"),
];
const SMALL_POOLS_OF_OBJECTS: u64 = 4;
const LEAST_GROUPS: u64 = 64;

#[pipeline]
impl Pipeline for PlacementGroups {
    async fn prepare(&self, cx: &PrepareContext, cluster: &Cluster, _nodes: &[Node]) -> Result<Prepared> {
        let mut nodes = cx.model().nodes_of(cluster.id).await?;
        nodes.retain(|node| node.all_roles().iter().any(|role| kind_of(role) == "ceph-osd"));
        let layouts = Layouts { db: cx.db(), model: cx.model(), settings: cx.settings::<VolumeManager>() };
        let disks =
            layouts.of(&nodes).await?.values().flat_map(spaces::disks).filter(|disk| disk.size_of("ceph") > 0).count();
        Ok(Prepared::new(Osds(disks as u64)))
    }

    fn process_deployment(&self, cx: &PipelineContext, data: &mut ClusterData) -> Result<()> {
        let &Osds(osds) = cx.prepared()?;
        let Some(Value::Object(storage)) = data.common_mut().get_mut("storage") else { return Ok(()) };
        let Some(replicas) = storage.get("osd_pool_size").map(replicas).transpose()? else { return Ok(()) };
        let is_used = |attribute: &str| storage.get(attribute) == Some(&Value::Bool(true));
        let groups = placement_groups(osds, replicas, is_used);
        storage.insert("pg_num".into(), groups[DEFAULT].into());
        storage.insert(
            "per_pool_pg_nums".into(),
            groups.into_iter().map(|(pool, count)| (pool.to_owned(), Value::from(count))).collect(),
        );
        Ok(())
    }
}

const DEFAULT: &str = "default_pg_num";

/// The number may be written as a text.
fn replicas(value: &Value) -> Result<u64> {
    let replicas = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    replicas.filter(|replicas| *replicas > 0).ok_or_else(|| {
        Error::invalid(format!(
            "the attribute `storage.osd_pool_size` is {value}, and must be a whole number from 1 on"
        ))
    })
}

/// The groups of each pool, and those of any other pool under [`DEFAULT`].
fn placement_groups(osds: u64, replicas: u64, is_used: impl Fn(&str) -> bool) -> BTreeMap<&'static str, u64> {
    let used: Vec<_> = LARGE_POOLS.into_iter().filter(|(_, _, attribute)| is_used(attribute)).collect();
    let all_pools =
        |count: u64| LARGE_POOLS.into_iter().map(|(pool, ..)| pool).chain([DEFAULT]).map(move |pool| (pool, count));
    if osds == 0 {
        return all_pools(128).collect();
    }
    if used.is_empty() {
        return all_pools((osds * 100).div_ceil(replicas).next_power_of_two()).collect();
    }
    let default = to_power_of_two(osds as f64 / replicas as f64).max(LEAST_GROUPS);
    let small = if is_used("objects_ceph") { SMALL_POOLS_OF_OBJECTS * default } else { 0 };
    let left = (osds as f64 * 200.0 / replicas as f64 - small as f64).max(0.0);
    let weights: u64 = used.iter().map(|(_, weight, _)| weight).sum();
    let mut groups: BTreeMap<&str, u64> = all_pools(default).collect();
    for (pool, weight, _) in used {
        groups.insert(pool, to_power_of_two(left * weight as f64 / weights as f64).max(default));
    }
    groups
}

/// The power of two that a number does not exceed by more than a hair.
fn to_power_of_two(number: f64) -> u64 {
    // A hundredth in the exponent is no reason to double.
    let exponent = (number.max(1.0).log2() - 0.01).ceil().clamp(0.0, 62.0);
    1 << exponent as u32
}

#[cfg(test)]
mod tests {
    use super::placement_groups;

    /// The numbers of Nailgun's tests, whose nodes have three disks for OSDs.
    #[test]
    fn without_services_in_ceph_there_are_a_hundred_groups_an_osd() {
        for (osds, replicas, expected) in
            [(0, 2, 128), (3, 2, 256), (3, 4, 128), (9, 2, 512), (1, 1, 128), (1, 1000, 1)]
        {
            let groups = placement_groups(osds, replicas, |_| false);
            assert_eq!(groups.len(), 6);
            assert!(groups.values().all(|count| *count == expected), "{osds} OSDs, {replicas} replicas: {groups:?}");
        }
    }

    #[test]
    fn services_in_ceph_share_the_groups_by_weight() {
        let groups = |osds, used: &'static [&'static str]| {
            let groups = placement_groups(osds, 2, |attribute| used.contains(&attribute));
            ["volumes", "compute", "backups", ".rgw", "images", "default_pg_num"].map(|pool| groups[pool])
        };
        let all = &["volumes_ceph", "ephemeral_ceph", "objects_ceph", "images_ceph"];
        assert_eq!(groups(6, all), [256, 128, 64, 64, 64, 64], "as in the real documents");
        assert_eq!(groups(3, all), [64, 64, 64, 64, 64, 64]);
        assert_eq!(groups(600, all), [32768, 16384, 8192, 8192, 2048, 512]);
        assert_eq!(groups(6, &["images_ceph"]), [64, 64, 64, 64, 1024, 64]);
        assert_eq!(groups(0, all), [128; 6]);
    }
}
