//! Instance types of a region: whether it has them, in which zones, and which architectures they boot.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{EnaSupport, LocationType};

use super::AwsProvider;
use super::error::{explain, incomplete};
use super::tags::filter;
use crate::error::{Error, Result};
use crate::plan::aws::{Action, Cloud, TypeFacts, misfit};

const DESCRIBE: &str = "ec2:DescribeInstanceTypes";
const OFFERINGS: &str = "ec2:DescribeInstanceTypeOfferings";

impl AwsProvider {
    /// Those of the types that the region has. Uses filters, since a call that lists names fails if EC2 does not know
    /// one of them.
    pub(super) async fn types(&self, names: &[String]) -> Result<BTreeMap<String, TypeFacts>> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let types = self.api.ec2.describe_instance_types().filters(filter("instance-type", names));
        let zones = self.api.ec2.describe_instance_type_offerings();
        let zones =
            zones.location_type(LocationType::AvailabilityZone).filters(filter("instance-type", names));
        let (types, zones) = tokio::join!(
            types.into_paginator().items().send().collect::<Result<Vec<_>, _>>(),
            zones.into_paginator().items().send().collect::<Result<Vec<_>, _>>(),
        );
        let types = types.map_err(|failed| explain(DESCRIBE, &failed))?;
        let zones = zones.map_err(|failed| explain(OFFERINGS, &failed))?;
        let mut facts = BTreeMap::new();
        for found in types {
            let name = found.instance_type().ok_or_else(|| incomplete(DESCRIBE, "a type without a name"))?;
            if !names.iter().any(|it| it == name.as_str()) {
                continue;
            }
            let list = found.processor_info().map_or(&[][..], |it| it.supported_architectures());
            let needs_ena =
                found.network_info().and_then(|it| it.ena_support()) == Some(&EnaSupport::Required);
            let architectures = list.iter().map(|it| it.as_str().to_owned()).collect();
            let zones = zones.iter().filter(|it| it.instance_type() == Some(name));
            let zones = zones.filter_map(|it| it.location().map(str::to_owned)).collect();
            facts.insert(name.as_str().to_owned(), TypeFacts { architectures, zones, needs_ena });
        }
        Ok(facts)
    }

    /// Rejects a change of type that EC2 would refuse, before any machine is stopped for it.
    pub(super) async fn check_retypes(&self, draft: &[Action], cloud: &Cloud) -> Result<()> {
        let changes: Vec<(&String, &String)> = draft
            .iter()
            .filter_map(|action| match action {
                Action::Retype { id, to, .. } => Some((id, to)),
                _ => None,
            })
            .collect();
        let names: Vec<String> = changes.iter().map(|(_, to)| (*to).clone()).collect();
        let facts = self.types(&names).await?;
        for (id, to) in changes {
            let known = facts.get(to).ok_or_else(|| self.no_such_type(to))?;
            let problem = cloud.instances.iter().find(|it| it.id == *id).and_then(|it| misfit(it, to, known));
            if let Some(problem) = problem {
                return Err(Error::invalid(problem).at("provider.aws.instance_type").remedy(
                    "choose a compatible type; for another architecture, set an image of it in `provider.aws.image`: \
                     the machine is then replaced",
                ));
            }
        }
        Ok(())
    }

    pub(super) fn no_such_type(&self, name: &str) -> Error {
        Error::invalid(format!("{} has no instance type `{name}`", self.api.region))
            .at("provider.aws.instance_type")
            .remedy(format!(
                "list the available types with `aws ec2 describe-instance-type-offerings --region {}`",
                self.api.region
            ))
    }
}
