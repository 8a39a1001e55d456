//! Conversion of tags and filters between EC2's types and ours.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};

use crate::error::{Error, Result};
use crate::host::ProjectName;
use crate::plan::aws::{Tags, tag};

/// The version of this program, for the tag.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Tags in EC2's format.
pub(super) fn sent(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags from EC2's format. A missing value counts as empty.
pub(super) fn found(tags: &[Tag]) -> Tags {
    let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or("").to_owned()));
    tags.iter().filter_map(pair).collect::<BTreeMap<_, _>>()
}

/// The tags for a kind of resource, in the call that creates it.
pub(super) fn specification(kind: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(sent(tags))).build()
}

/// Adds the version of this program.
pub(super) fn versioned(mut tags: Tags) -> Tags {
    tags.insert(tag::VERSION.into(), VERSION.into());
    tags
}

pub(super) fn filter(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().map(Into::into).collect())).build()
}

/// Filter for the project's resources.
pub(super) fn of_project(project: &ProjectName) -> Filter {
    filter(&format!("tag:{}", tag::PROJECT), [project.as_str()])
}

/// A size in GiB in EC2's format.
pub(super) fn size(gib: u32) -> Result<i32> {
    i32::try_from(gib).map_err(|_| Error::invalid(format!("{gib} GiB exceeds the maximum size of a disk")))
}
