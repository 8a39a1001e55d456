//! The spec's section `provider.aws`: where in EC2 the instances run and what they are like.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AccountId, BaseUrl, Cidr, ImageId, InstanceType, LoginName, ProfileName, Region, SubnetId, VpcId,
};

/// Instances of EC2, one for each host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Aws {
    /// The region; that of the environment or the profile where absent.
    pub region: Option<Region>,
    /// The number of the account; another one is refused.
    pub account: Option<AccountId>,
    /// Another endpoint for all services, for closed networks.
    pub endpoint: Option<BaseUrl>,
    /// The instance types of both roles.
    pub instance_type: InstanceTypes,
    /// Types to try in this order where no zone has capacity for the wanted one.
    pub alternatives: Vec<InstanceType>,
    /// The image; where absent the newest Debian 13 of its owner when an instance is made, and no other after that.
    pub image: Option<ImageId>,
    /// The image's user that may use sudo.
    pub user: LoginName,
    /// The size of each instance's disk in GiB.
    #[schemars(range(min = 8, max = 16_384))]
    pub disk: u32,
    /// The VPC; the region's default one where absent.
    pub vpc: Option<VpcId>,
    /// The subnet, which decides on VPC and zone.
    pub subnet: Option<SubnetId>,
    /// The networks from which ssh is let in; the caller's own address where absent.
    pub allow_ssh_from: Vec<Cidr>,
    /// A page that tells the caller its address; Amazon's where absent.
    pub address_from: Option<BaseUrl>,
    /// Whether instances are protected from termination.
    pub termination_protection: bool,
    /// An instance profile for the monitoring host.
    pub instance_profile: Option<ProfileName>,
    /// Whether each instance has an address that survives a stop.
    pub elastic_ip: bool,
}

impl Default for Aws {
    fn default() -> Self {
        Self {
            region: None,
            account: None,
            endpoint: None,
            instance_type: InstanceTypes::default(),
            alternatives: Vec::new(),
            image: None,
            user: LoginName::debian(),
            disk: 20,
            vpc: None,
            subnet: None,
            allow_ssh_from: Vec::new(),
            address_from: None,
            termination_protection: false,
            instance_profile: None,
            elastic_ip: false,
        }
    }
}

/// One type for both roles, or one for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum InstanceTypes {
    /// The same for all hosts.
    All(InstanceType),
    /// By role.
    Each {
        /// Of the application hosts.
        app: InstanceType,
        /// Of the monitoring host.
        monitoring: InstanceType,
    },
}

impl InstanceTypes {
    /// The type of the application hosts.
    pub const fn app(&self) -> &InstanceType {
        match self {
            Self::All(all) => all,
            Self::Each { app, .. } => app,
        }
    }

    /// The type of the monitoring host.
    pub const fn monitoring(&self) -> &InstanceType {
        match self {
            Self::All(all) => all,
            Self::Each { monitoring, .. } => monitoring,
        }
    }
}

impl Default for InstanceTypes {
    fn default() -> Self {
        Self::All(InstanceType::small())
    }
}
