//! What can be launched: images, types and subnets. Asked only where something is to be made.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{self, ArchitectureType};

use super::Aws;
use super::error::explain;
use super::tags::filter;
use crate::error::{Error, Result};
use crate::host::Role;
use crate::plan::aws::{Action, Candidate, Cloud, Image, Offer, Wanted};

/// The owner of Debian's own images, and how it calls those of Debian 13, before the architecture.
const DEBIAN: &str = "136693071363";
const DEBIAN_13: &str = "debian-13";

impl Aws {
    /// What there is for the machines and groups of a draft.
    pub(super) async fn offer(&self, wanted: &Wanted, cloud: &Cloud, draft: &[Action]) -> Result<Offer> {
        let creates: BTreeMap<Role, Vec<String>> = draft
            .iter()
            .filter_map(|action| match action {
                Action::Create(creation) => {
                    let host = wanted.hosts.get(&creation.host)?;
                    let types = [host.instance_type.clone()].into_iter().chain(host.alternatives.clone());
                    Some((creation.host.role(), types.collect()))
                }
                _ => None,
            })
            .collect();
        let names: BTreeSet<String> = creates.values().flatten().cloned().collect();
        let (subnets, architectures) =
            tokio::try_join!(self.subnets(cloud), self.architectures(names.into_iter().collect()))?;
        let vpc = subnets.first().map(|(_, _, vpc)| vpc.clone());
        let images = self.images(&architectures).await?;
        let mut candidates = BTreeMap::new();
        for (role, types) in creates {
            let list = types.iter().flat_map(|name| {
                let image = architectures.get(name).and_then(|it| images.get(it));
                let places = image.into_iter().flat_map(|image| subnets.iter().map(move |it| (image, it)));
                places.map(|(image, (subnet, zone, _))| Candidate {
                    instance_type: name.clone(),
                    image: image.clone(),
                    subnet: subnet.clone(),
                    zone: zone.clone(),
                })
            });
            candidates.insert(role, list.collect());
        }
        Ok(Offer { vpc, candidates })
    }

    /// Where an instance may be: subnet, zone and VPC, by zone.
    async fn subnets(&self, cloud: &Cloud) -> Result<Vec<(String, String, String)>> {
        let filters = match (&self.settings.subnet, &self.settings.vpc) {
            (Some(subnet), _) => vec![filter("subnet-id", [subnet.as_str()])],
            (None, Some(vpc)) => vec![filter("vpc-id", [vpc.as_str()])],
            (None, None) => vec![filter("default-for-az", ["true"])],
        };
        let call = self.api.ec2.describe_subnets().set_filters(Some(filters));
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let found = pages.map_err(|failed| explain("ec2:DescribeSubnets", &failed))?;
        let mut subnets: Vec<_> = found
            .iter()
            .filter(|it| it.state() != Some(&types::SubnetState::Pending))
            .filter_map(|it| {
                let text = |text: Option<&str>| text.map(str::to_owned);
                Some((text(it.subnet_id())?, text(it.availability_zone())?, text(it.vpc_id())?))
            })
            .collect();
        subnets.sort_by(|(_, one, _), (_, other, _)| one.cmp(other));
        let Some((_, _, vpc)) = subnets.first() else { return Err(self.no_subnet()) };
        match cloud.groups.values().find(|group| group.vpc != *vpc) {
            Some(group) => Err(Error::could_not_run(format!(
                "the project's security groups are in `{}`, and the machines would be in `{vpc}`",
                group.vpc
            ))
            .remedy(
                "write the old VPC into the spec, or move the project with `monctl down` and `monctl up`",
            )),
            None => Ok(subnets),
        }
    }

    fn no_subnet(&self) -> Error {
        let region = &self.api.region;
        match (&self.settings.subnet, &self.settings.vpc) {
            (Some(subnet), _) => Error::invalid(format!("there is no subnet `{subnet}` in {region}"))
                .remedy("`aws ec2 describe-subnets` lists those that there are"),
            (None, Some(vpc)) => Error::invalid(format!("there is no subnet in `{vpc}` in {region}"))
                .remedy("name another VPC in `provider.aws.vpc`, or make a subnet in this one"),
            (None, None) => Error::could_not_run(format!("the account has no default VPC in {region}"))
                .remedy(
                    "name a VPC or a subnet in `provider.aws.vpc` or `provider.aws.subnet`, or make a default VPC: \
                     `aws ec2 create-default-vpc`",
                ),
        }
    }

    /// The architecture of each type.
    async fn architectures(&self, names: Vec<String>) -> Result<BTreeMap<String, String>> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let names = names.iter().map(|name| types::InstanceType::from(name.as_str())).collect();
        let call = self.api.ec2.describe_instance_types().set_instance_types(Some(names));
        let found = call.send().await.map_err(|failed| explain("ec2:DescribeInstanceTypes", &failed))?;
        let architecture = |it: &types::InstanceTypeInfo| {
            let list = it.processor_info()?.supported_architectures();
            let known = [ArchitectureType::X8664, ArchitectureType::Arm64];
            let one = known.into_iter().find(|known| list.contains(known))?;
            Some((it.instance_type()?.as_str().to_owned(), one.as_str().to_owned()))
        };
        Ok(found.instance_types().iter().filter_map(architecture).collect())
    }

    /// The image for each architecture that is needed.
    async fn images(&self, architectures: &BTreeMap<String, String>) -> Result<BTreeMap<String, Image>> {
        let needed: BTreeSet<&String> = architectures.values().collect();
        if needed.is_empty() {
            return Ok(BTreeMap::new());
        }
        let call = self.api.ec2.describe_images();
        let call = if let Some(image) = &self.settings.image {
            call.image_ids(image.as_str())
        } else {
            let names = needed.iter().map(|it| format!("{DEBIAN_13}-{}-*", debian_word(it)));
            call.owners(DEBIAN).filters(filter("name", names)).filters(filter("state", ["available"]))
        };
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let mut found = pages.map_err(|failed| explain("ec2:DescribeImages", &failed))?;
        // Dates as EC2 writes them sort as text.
        found.sort_by(|one, other| one.creation_date().cmp(&other.creation_date()));
        let images: BTreeMap<String, Image> = found.iter().filter_map(image).collect();
        match needed.into_iter().find(|it| !images.contains_key(*it)) {
            Some(missing) => Err(self.no_image(missing, architectures, &images)),
            None => Ok(images),
        }
    }

    fn no_image(
        &self,
        missing: &str,
        types: &BTreeMap<String, String>,
        found: &BTreeMap<String, Image>,
    ) -> Error {
        let name = types.iter().find(|(_, it)| *it == missing).map_or("", |(name, _)| name.as_str());
        match (&self.settings.image, found.keys().next()) {
            (Some(image), Some(other)) => {
                Error::invalid(format!("image `{image}` is for {other}, and `{name}` is {missing}"))
                    .remedy("choose a type or an image of the same architecture")
            }
            (Some(image), None) => {
                Error::invalid(format!("there is no image `{image}` in {}", self.api.region))
                    .remedy("an image's id holds in one region; leave `image` out for Debian 13")
            }
            (None, _) => Error::could_not_run(format!(
                "{} has no image of Debian 13 for {missing} (owner {DEBIAN})",
                self.api.region
            ))
            .remedy("name an image in `provider.aws.image`, and its user in `provider.aws.user`"),
        }
    }
}

/// What Debian calls an architecture of EC2.
fn debian_word(architecture: &str) -> &str {
    if architecture == "x86_64" { "amd64" } else { architecture }
}

/// An image with its architecture.
fn image(found: &types::Image) -> Option<(String, Image)> {
    let root = found.root_device_name()?;
    let device = found.block_device_mappings().iter().find(|it| it.device_name() == Some(root));
    let size = device.and_then(|it| it.ebs()?.volume_size()).and_then(|size| u32::try_from(size).ok());
    let image = Image {
        id: found.image_id()?.to_owned(),
        name: found.name().unwrap_or_default().to_owned(),
        root_device: root.to_owned(),
        size: size.unwrap_or(0),
    };
    Some((found.architecture()?.as_str().to_owned(), image))
}
