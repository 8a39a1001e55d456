//! What can be launched: candidates of a type, an image and a subnet. Queried only if something must be created.

use std::collections::{BTreeMap, BTreeSet};

use super::AwsProvider;
use super::places::UsableSubnets;
use crate::error::Result;
use crate::host::Role;
use crate::plan::aws::{
    Action, Candidate, Cloud, Image, LaunchOptions, TypeFacts, WantedCloud, is_burstable,
};
use crate::spec::Credits;

impl AwsProvider {
    /// The offers for the machines and groups of a draft.
    pub(super) async fn launch_options(
        &self,
        wanted: &WantedCloud,
        cloud: &Cloud,
        draft: &[Action],
    ) -> Result<LaunchOptions> {
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
        let names: Vec<String> = names.into_iter().collect();
        let (places, facts) = tokio::try_join!(self.places(cloud), self.types(&names))?;
        let needed = facts.values().filter_map(|it| architecture(it).cloned()).collect();
        let images = self.images(&needed).await?;
        let mut offer = LaunchOptions {
            vpc: places.subnets.first().map(|it| it.vpc.clone()),
            ..LaunchOptions::default()
        };
        for (role, names) in creates {
            let (candidates, left_out) = self.candidates(&names, &facts, &images, &places)?;
            offer.candidates.insert(role, candidates);
            offer.left_out.insert(role, left_out);
        }
        Ok(offer)
    }

    /// Each type with its image in each subnet whose zone offers it. The region must have the first type.
    fn candidates(
        &self,
        names: &[String],
        facts: &BTreeMap<String, TypeFacts>,
        images: &BTreeMap<String, Image>,
        places: &UsableSubnets,
    ) -> Result<(Vec<Candidate>, Vec<String>)> {
        let mut candidates = Vec::new();
        let mut left_out = places.left_out.clone();
        for (at, name) in names.iter().enumerate() {
            let Some(known) = facts.get(name) else {
                if at == 0 {
                    return Err(self.no_such_type(name));
                }
                left_out.push(format!("{name} (not in {})", self.api.region));
                continue;
            };
            let Some(image) = known.architectures.iter().find_map(|it| images.get(it)) else {
                if at == 0 {
                    return Err(self.no_image(name, &known.architectures, images));
                }
                left_out.push(format!("{name} (no image for its architecture)"));
                continue;
            };
            let here = places.subnets.iter().filter(|it| known.zones.contains(&it.zone));
            let before = candidates.len();
            candidates.extend(here.map(|subnet| Candidate {
                instance_type: name.clone(),
                image: image.clone(),
                subnet: subnet.id.clone(),
                zone: subnet.zone.clone(),
                public: subnet.is_public && !self.reach().private,
                credits: self.credits(name),
            }));
            if candidates.len() == before {
                left_out.push(format!("{name} (no zone offers it)"));
            }
        }
        if candidates.is_empty() {
            return Err(crate::error::Error::invalid(format!(
                "no zone offers the machines to launch: {}",
                left_out.join("; ")
            ))
            .at("provider.aws.instance_type")
            .remedy("choose another type in `provider.aws.instance_type`, or a subnet in another zone"));
        }
        Ok((candidates, left_out))
    }

    /// The credit mode of a new machine. It is always sent: the account may have its own default.
    fn credits(&self, name: &str) -> Option<Credits> {
        // New machines of T3 and later start without credits, which would slow down their first installation; those of
        // T2 start with some.
        let usual = if name.starts_with("t2.") { Credits::Standard } else { Credits::Unlimited };
        is_burstable(name).then(|| self.settings.credit_specification.unwrap_or(usual))
    }
}

/// The architecture for which to look up an image: the first that Debian's images have.
fn architecture(facts: &TypeFacts) -> Option<&String> {
    ["x86_64", "arm64"].iter().find_map(|it| facts.architectures.get(*it))
}
