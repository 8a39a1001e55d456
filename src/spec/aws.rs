//! The spec's section `provider.aws`: where in EC2 the instances run and what they are like.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ec2_names::{
    AccountId, ImageId, InstanceType, KmsKeyId, LoginName, ProfileName, Region, SubnetId, TagKey, TagValue,
    VpcId,
};
use super::names::{BaseUrl, Cidr};

/// Instances of EC2, one for each host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Aws")]
pub struct AwsSettings {
    /// The region. Defaults to that of the environment or the profile.
    pub region: Option<Region>,
    /// The account number. monctl refuses credentials of any other account.
    pub account: Option<AccountId>,
    /// Another endpoint for all services, for closed networks.
    pub endpoint: Option<BaseUrl>,
    /// The instance types of both roles.
    pub instance_type: InstanceTypes,
    /// Types to try in this order where no zone has capacity for `instance_type`.
    pub alternatives: Vec<InstanceType>,
    /// The image. Defaults to Debian's newest Debian 13 when an instance is created; the instance then keeps its image.
    pub image: Option<ImageId>,
    /// The image's login user, which may use sudo.
    pub user: LoginName,
    /// The size of each instance's disk in GiB.
    #[schemars(range(min = 8, max = 16_384))]
    pub disk: u32,
    /// The VPC. Defaults to the region's default VPC.
    pub vpc: Option<VpcId>,
    /// The subnet, which determines VPC and zone.
    pub subnet: Option<SubnetId>,
    /// The networks from which ssh is allowed. Defaults to the caller's own address. If all are private, monctl
    /// connects to the machines' private addresses.
    pub allow_ssh_from: Vec<Cidr>,
    /// A URL that returns the caller's public address. Defaults to Amazon's.
    pub address_from: Option<BaseUrl>,
    /// Whether instances are protected from termination.
    pub termination_protection: bool,
    /// An instance profile for the monitoring host.
    pub instance_profile: Option<ProfileName>,
    /// Whether each instance has an address that survives a stop.
    pub elastic_ip: bool,
    /// Your own tags, on every resource that monctl creates.
    pub tags: BTreeMap<TagKey, TagValue>,
    /// What happens to instances of the T families without CPU credits. New T3, T3a and T4g instances default to
    /// `unlimited`, new T2 instances to `standard`.
    pub credit_specification: Option<Credits>,
    /// The KMS key that encrypts disks. Defaults to the account's default key.
    pub kms_key: Option<KmsKeyId>,
}

/// What happens to an instance of the T families without CPU credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Credits {
    /// It slows down to its type's baseline.
    Standard,
    /// It keeps its speed; use above the baseline over a day is charged extra.
    Unlimited,
}

impl Credits {
    /// EC2's name for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Unlimited => "unlimited",
        }
    }
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Default for AwsSettings {
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
            tags: BTreeMap::new(),
            credit_specification: None,
            kms_key: None,
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
