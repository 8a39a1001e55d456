//! Tags and filters between EC2's types and ours.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};

use crate::error::{Error, Result};
use crate::host::ProjectName;
use crate::plan::aws::{Tags, tag};

/// The version of this program, as it is tagged.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Tags as they are sent.
pub(super) fn sent(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags as they came. A tag may have no value, which is the same as an empty one.
pub(super) fn found(tags: &[Tag]) -> Tags {
    let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or("").to_owned()));
    tags.iter().filter_map(pair).collect::<BTreeMap<_, _>>()
}

/// The tags for a kind of resource, in the call that makes it.
pub(super) fn specification(kind: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(sent(tags))).build()
}

/// With the version of this program.
pub(super) fn versioned(mut tags: Tags) -> Tags {
    tags.insert(tag::VERSION.into(), VERSION.into());
    tags
}

pub(super) fn filter(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().map(Into::into).collect())).build()
}

/// What belongs to the project.
pub(super) fn of_project(project: &ProjectName) -> Filter {
    filter(&format!("tag:{}", tag::PROJECT), [project.as_str()])
}

/// A size in GiB as EC2 takes it.
pub(super) fn size(gib: u32) -> Result<i32> {
    i32::try_from(gib).map_err(|_| Error::invalid(format!("{gib} GiB are more than a disk can have")))
}
