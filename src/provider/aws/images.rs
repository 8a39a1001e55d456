//! The image for each architecture: the spec's, else the newest Debian 13 of Debian's own account.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types;

use super::AwsProvider;
use super::error::{explain, incomplete};
use super::tags::filter;
use crate::error::{Error, Result};
use crate::plan::aws::Image;

/// The owner of Debian's images, and the prefix of the names for Debian 13, before the architecture.
const DEBIAN: &str = "136693071363";
const DEBIAN_13: &str = "debian-13";
const DESCRIBE: &str = "ec2:DescribeImages";

impl AwsProvider {
    /// The images for these architectures; an architecture without an image is omitted.
    pub(super) async fn images(&self, needed: &BTreeSet<String>) -> Result<BTreeMap<String, Image>> {
        if needed.is_empty() {
            return Ok(BTreeMap::new());
        }
        let call = self.api.ec2.describe_images();
        let call = if let Some(image) = &self.settings.image {
            call.image_ids(image.as_str())
        } else {
            if self.api.partition != "aws" {
                return Err(self.no_known_publisher());
            }
            let names = needed.iter().map(|it| format!("{DEBIAN_13}-{}-*", debian_word(it)));
            call.owners(DEBIAN).filters(filter("name", names)).filters(filter("state", ["available"]))
        };
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let mut found = pages.map_err(|failed| explain(DESCRIBE, &failed))?;
        found.retain(|it| match &self.settings.image {
            Some(image) => it.image_id() == Some(image.as_str()),
            // Any account may give its images Debian's names.
            None => it.owner_id() == Some(DEBIAN),
        });
        // Dates as EC2 writes them sort as text.
        found.sort_by(|one, other| one.creation_date().cmp(&other.creation_date()));
        found.iter().map(image).collect()
    }

    fn no_known_publisher(&self) -> Error {
        Error::could_not_run(format!(
            "monctl does not know the publisher of Debian's images in the partition `{}` ({})",
            self.api.partition, self.api.region
        ))
        .at("provider.aws.image")
        .remedy(
            "set `provider.aws.image` to an image of Debian 13 or Ubuntu 24.04, and `provider.aws.user` to its user",
        )
    }

    /// The error if there is no image for a type of this architecture.
    pub(super) fn no_image(
        &self,
        name: &str,
        architectures: &BTreeSet<String>,
        found: &BTreeMap<String, Image>,
    ) -> Error {
        let wanted = architectures.iter().cloned().collect::<Vec<_>>().join(", ");
        match (&self.settings.image, found.keys().next()) {
            (Some(image), Some(other)) => Error::invalid(format!(
                "image `{image}` has the architecture {other}, but `{name}` boots {wanted}"
            ))
            .at("provider.aws.image")
            .remedy("choose a type or an image of the same architecture"),
            (Some(image), None) => {
                Error::invalid(format!("there is no image `{image}` in {}", self.api.region))
                    .at("provider.aws.image")
                    .remedy("use the image's id in this region, or omit `image` for Debian 13")
            }
            (None, _) => Error::could_not_run(format!(
                "{} has no image of Debian 13 for {wanted} (owner {DEBIAN})",
                self.api.region
            ))
            .remedy("set `provider.aws.image` to another image, and `provider.aws.user` to its user"),
        }
    }
}

/// Debian's name for an architecture of EC2.
fn debian_word(architecture: &str) -> &str {
    if architecture == "x86_64" { "amd64" } else { architecture }
}

/// An image with its architecture.
fn image(found: &types::Image) -> Result<(String, Image)> {
    let lacks = |what: &str| incomplete(DESCRIBE, format!("an image without {what}"));
    let root = found.root_device_name().ok_or_else(|| lacks("a root device"))?;
    let device = found.block_device_mappings().iter().find(|it| it.device_name() == Some(root));
    // An image without a size sets no lower bound; EC2 refuses a disk that is too small.
    let size = device.and_then(|it| it.ebs()?.volume_size()).and_then(|size| u32::try_from(size).ok());
    let image = Image {
        id: found.image_id().ok_or_else(|| lacks("an id"))?.to_owned(),
        // Only displayed: images are identified by their id.
        name: found.name().unwrap_or("no name").to_owned(),
        root_device: root.to_owned(),
        size: size.unwrap_or(0),
    };
    let architecture = found.architecture().ok_or_else(|| lacks("an architecture"))?;
    Ok((architecture.as_str().to_owned(), image))
}
