//! Plans creations, changes and removals in EC2, as data with reasons. Pure: `provider/aws` reads the [`Cloud`] and
//! runs the actions; nothing here uses the SDK.

mod action;
mod cloud;
mod diff;
mod instance_type;
mod place;
mod rule;
#[cfg(test)]
mod tests;
mod wanted;

pub use action::{Action, Candidate, Creation, Image};
pub use cloud::{Address, Cloud, Instance, InstanceState, KeyPair, ROLES, SecurityGroup, Tags, Volume, tag};
pub use diff::actions;
pub use instance_type::{TypeFacts, is_burstable, misfit};
pub use place::{Reach, Subnet, in_order, obstacle};
pub use rule::{IngressSource, Opening, SecurityGroupRule};
pub use wanted::{LaunchOptions, WantedCloud, WantedHost};
