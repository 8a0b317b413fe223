//! The layouts of nodes: what the table has, or else what follows from disks and roles.

use crate::{
    disk::Disk,
    edit::{self, GivenDisk},
    plan::{self, Plan},
    rows,
    settings::VolumeSettings,
    spaces,
};
use rivetgun::prelude::*;
use std::collections::BTreeMap;

/// The layouts, as they are in a transaction or at one moment. Every context has what it is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layouts<'a> {
    pub(crate) db: &'a Db,
    pub(crate) model: Model<'a>,
    pub(crate) settings: &'a VolumeSettings,
}

/// What became of the layout of a node whose disks or roles changed.
#[derive(Debug)]
pub(crate) enum Renewal {
    Made,
    /// A person edited it.
    Kept,
    /// The disks make no sense.
    Failed(Error),
}

impl<'a> Layouts<'a> {
    /// The full layouts of nodes of one cluster, by node. A node whose disks make no sense has none.
    pub(crate) async fn of(self, nodes: &[Node]) -> Result<BTreeMap<i64, Value>> {
        let stored = self.stored(nodes).await?;
        let mut layouts: BTreeMap<i64, Value> = stored.into_iter().map(|(id, row)| (id, row.volumes)).collect();
        let unknown: Vec<Node> = nodes.iter().filter(|node| !layouts.contains_key(&node.id)).cloned().collect();
        for (node, plan) in unknown.iter().zip(self.plans(&unknown).await?) {
            layouts.extend(plan.ok().map(|plan| (node.id, plan.spaces(&plan.default_disks()))));
        }
        Ok(layouts)
    }

    /// The layout of a node.
    pub(crate) async fn disks(self, node: &Node) -> Result<Vec<Disk>> {
        match self.stored(std::slice::from_ref(node)).await?.remove(&node.id) {
            Some(row) => Ok(spaces::disks(&row.volumes)),
            None => self.default_disks(node).await,
        }
    }

    /// The layout of a node as it would be if nobody had edited it.
    pub(crate) async fn default_disks(self, node: &Node) -> Result<Vec<Disk>> {
        Ok(self.plan(node).await?.default_disks())
    }

    /// Makes the layouts of nodes of one cluster anew, where nobody has edited them.
    pub(crate) async fn renew(self, nodes: &[Node]) -> Result<Vec<Renewal>> {
        let stored = self.stored(nodes).await?;
        let (mut renewals, mut made) = (Vec::new(), Vec::new());
        for (node, plan) in nodes.iter().zip(self.plans(nodes).await?) {
            renewals.push(match plan {
                Err(error) => Renewal::Failed(error),
                Ok(_) if stored.get(&node.id).is_some_and(|row| row.is_edited) => Renewal::Kept,
                Ok(plan) => {
                    made.push(row(node, plan.spaces(&plan.default_disks()), false));
                    Renewal::Made
                }
            });
        }
        rows::save(self.db, made).await?;
        Ok(renewals)
    }

    /// Makes a person's layout that of a node. The one that nobody would have to edit is not one.
    pub(crate) async fn edit(self, node: &Node, given: Vec<GivenDisk>) -> Result<Vec<Disk>> {
        let plan = self.plan(node).await?;
        let known = self.disks(node).await?;
        let disks = edit::apply(&plan, plan.fitted(&known), given).map_err(Error::mistakes)?;
        let is_edited = disks != plan.default_disks();
        rows::save(self.db, vec![row(node, plan.spaces(&disks), is_edited)]).await?;
        Ok(disks)
    }

    /// Forgets what a person made of the layout of a node.
    pub(crate) async fn forget_edits(self, node: &Node) -> Result<()> {
        let plan = self.plan(node).await?;
        rows::save(self.db, vec![row(node, plan.spaces(&plan.default_disks()), false)]).await
    }

    /// The plan for a node.
    pub(crate) async fn plan(self, node: &Node) -> Result<Plan<'a>> {
        let nodes = std::slice::from_ref(node);
        let (attributes, one_system_disk) = (self.attributes(nodes).await?, self.is_ubuntu(nodes).await?);
        Ok(Plan { one_system_disk, ..Plan::of(self.settings, node, &attributes)? })
    }

    /// The plans for nodes of one cluster, in their order.
    pub(crate) async fn plans(self, nodes: &[Node]) -> Result<Vec<Result<Plan<'a>>>> {
        let (attributes, one_system_disk) = (self.attributes(nodes).await?, self.is_ubuntu(nodes).await?);
        let plan = |node| Ok(Plan { one_system_disk, ..Plan::of(self.settings, node, &attributes)? });
        Ok(nodes.iter().map(plan).collect())
    }

    /// The attributes of the nodes' cluster, which can be large, where a volume depends on them.
    async fn attributes(self, nodes: &[Node]) -> Result<Object> {
        let depends = |node: &Node| {
            let wanted = plan::wanted_by(self.settings, node, &Object::new());
            wanted.iter().any(|wanted| wanted.volume.unless.is_some())
        };
        match nodes.iter().find(|node| depends(node)).and_then(|node| node.cluster) {
            Some(cluster) => self.model.attributes(cluster).await,
            None => Ok(Object::new()),
        }
    }

    /// Whether the nodes' cluster is one of Ubuntu, whose installer takes one disk for the system.
    async fn is_ubuntu(self, nodes: &[Node]) -> Result<bool> {
        let Some(cluster) = nodes.iter().find_map(|node| node.cluster) else { return Ok(false) };
        let Some(cluster) = self.model.cluster(cluster).await? else { return Ok(false) };
        let release = self.model.release(cluster.release).await?;
        Ok(release.is_some_and(|release| release.operating_system.eq_ignore_ascii_case("ubuntu")))
    }

    async fn stored(self, nodes: &[Node]) -> Result<BTreeMap<i64, rows::Model>> {
        rows::of(self.db, &nodes.iter().map(|node| node.id).collect::<Vec<_>>()).await
    }
}

fn row(node: &Node, volumes: Value, is_edited: bool) -> rows::Model {
    rows::Model { node_id: node.id, volumes, is_edited }
}
