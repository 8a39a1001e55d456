//! Meaning and remedy of each error code of EC2 and STS, as data.
//!
//! `{action}` is the call, `{permission}` the missing IAM action, `{service}` the service that answered, `{apart}` the
//! difference between the two clocks.

/// One possible cause.
#[derive(Debug)]
pub(super) struct Meaning {
    /// The codes of this cause; one that ends in `*` stands for all codes with that prefix.
    codes: &'static [&'static str],
    /// A phrase of the message, in lower case, if the code alone is ambiguous.
    phrase: Option<&'static str>,
    /// What it means here.
    pub(super) means: &'static str,
    /// What to do.
    pub(super) remedy: &'static str,
    /// Whether the caller has no access to the account at all.
    pub(super) shut_out: bool,
}

impl Meaning {
    const fn new(codes: &'static [&'static str], means: &'static str, remedy: &'static str) -> Self {
        Self { codes, phrase: None, means, remedy, shut_out: false }
    }

    const fn with_phrase(mut self, phrase: &'static str) -> Self {
        self.phrase = Some(phrase);
        self
    }

    const fn shut_out(mut self) -> Self {
        self.shut_out = true;
        self
    }

    /// Whether an answer has this cause. Messages are compared case-insensitively.
    pub(super) fn fits(&self, code: &str, message: &str) -> bool {
        let named = self.codes.iter().any(|known| match known.strip_suffix('*') {
            Some(beginning) => code.starts_with(beginning),
            None => code == *known,
        });
        named && self.phrase.is_none_or(|phrase| message.to_lowercase().contains(phrase))
    }
}

/// What to do about a code that is not in the table.
pub(super) const UNKNOWN_REMEDY: &str =
    "run the command again, or remove what was created (it has the project's tags) with `monctl down`";

/// The codes that a wrong clock may cause, since a signature contains the time.
pub(super) const SIGNATURE: [&str; 6] = [
    "SignatureDoesNotMatch",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "InvalidSignatureException",
    "AuthFailure",
    "RequestInTheFuture",
];

/// The clock is wrong. Not in the table, since no code means that: the server's `Date` header shows it.
pub(super) const CLOCK: Meaning = Meaning::new(
    &[],
    "this computer's clock and {service}'s differ by {apart}, so {service} refuses the signature of `{action}`",
    "set the clock, for example with `timedatectl set-ntp true`, then run the command again",
)
.shut_out();

/// The table. The first matching row applies.
pub(super) const MEANINGS: &[Meaning] = &[
    // Who the caller is.
    Meaning::new(
        &["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"],
        "the credentials may not do `{permission}`: a policy denies it explicitly",
        "ask the account's administrator which policy (also of the organisation, or a permissions boundary) denies \
         `{permission}`",
    )
    .with_phrase("explicit deny")
    .shut_out(),
    Meaning::new(
        &["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"],
        "the credentials may not do `{permission}`",
        "allow `{permission}` for the user or role; docs/iam-policy.json is the complete policy that monctl needs",
    )
    .shut_out(),
    Meaning::new(
        &["InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"],
        "{service} does not know the access key",
        "the key was deleted or deactivated, or belongs to another partition: check with \
         `aws sts get-caller-identity`, then use valid credentials",
    )
    .shut_out(),
    Meaning::new(
        &["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"],
        "the credentials have expired",
        "renew them (for example with `aws sso login`), then run the command again: it continues from here",
    )
    .shut_out(),
    Meaning::new(
        &["SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"],
        "the secret access key does not belong to the access key",
        "copy both again: one of them has a missing or extra character",
    )
    .shut_out(),
    Meaning::new(
        &["AuthFailure"],
        "{service} does not accept the credentials in this region",
        "check whether the key is valid (`aws sts get-caller-identity`), and whether the account must enable this \
         region first",
    )
    .shut_out(),
    Meaning::new(
        &["OptInRequired"],
        "`{action}` needs a region or an image to which the account is not subscribed",
        "enable the region under Account, AWS Regions, or accept the image's terms in the AWS Marketplace; the message \
         above names it",
    )
    .shut_out(),
    Meaning::new(
        &["PendingVerification"],
        "AWS has not verified the account for this region yet",
        "wait for the e-mail from AWS (usually minutes, at most four hours), then run the command again",
    ),
    Meaning::new(
        &["Blocked"],
        "AWS has blocked the account",
        "open a case with AWS Support: only AWS can unblock it",
    )
    .shut_out(),
    // How much the account may have.
    Meaning::new(
        &["VcpuLimitExceeded"],
        "the account's quota of vCPUs in this region would be exceeded",
        "raise `Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances` (L-1216C47A) in Service Quotas, \
         Amazon EC2, choose smaller types in `provider.aws.instance_type`, or terminate unused instances",
    ),
    Meaning::new(
        &["InstanceLimitExceeded"],
        "the account's quota of instances of this type in this region would be exceeded",
        "raise the quota of the type in Service Quotas, Amazon EC2, or choose another in `provider.aws.instance_type`",
    ),
    Meaning::new(
        &["AddressLimitExceeded"],
        "the account's quota of elastic addresses in this region would be exceeded",
        "raise `EC2-VPC Elastic IPs` (L-0263D0A3) in Service Quotas, Amazon EC2, release unused addresses, or omit \
         `provider.aws.elastic_ip`",
    ),
    Meaning::new(
        &["SecurityGroupLimitExceeded"],
        "the account's quota of security groups in this region would be exceeded",
        "raise `VPC security groups per Region` (L-E79EC296) in Service Quotas, Amazon VPC, or remove unused groups",
    ),
    Meaning::new(
        &["RulesPerSecurityGroupLimitExceeded"],
        "a security group would have more rules than its quota allows",
        "raise `Inbound or outbound rules per security group` (L-0EA8095F) in Service Quotas, Amazon VPC, or list \
         fewer networks in `app.allow` and `provider.aws.allow_ssh_from`",
    ),
    Meaning::new(
        &["VolumeLimitExceeded", "MaxStorageLimitExceeded*"],
        "the account's quota of gp3 storage in this region would be exceeded",
        "raise `Storage for General Purpose SSD (gp3) volumes` (L-7A658B76) in Service Quotas, Amazon EBS, or set a \
         smaller `provider.aws.disk`",
    ),
    Meaning::new(
        &["RequestLimitExceeded", "Throttling*", "RequestThrottled*", "EC2ThrottledException", "SlowDown"],
        "{service} keeps throttling `{action}`: the account sends too many requests",
        "wait a minute, then run the command again: it continues from here",
    ),
    // What there is.
    Meaning::new(
        &["InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientCapacity*"],
        "no zone that was tried has capacity for the instance type now",
        "list other types in `provider.aws.alternatives`, omit `provider.aws.subnet` so that all zones are tried, or \
         run the command again later",
    ),
    Meaning::new(
        &["InsufficientFreeAddressesInSubnet"],
        "the subnet has no free address",
        "name another in `provider.aws.subnet`",
    ),
    Meaning::new(
        &["Unsupported", "UnsupportedOperation", "InstanceTypeNotSupported"],
        "`{action}` is not supported with these settings; usually the zone does not offer the instance type",
        "choose another type in `provider.aws.instance_type`, or a subnet in another zone",
    ),
    Meaning::new(
        &["InvalidInstanceType"],
        "there is no such instance type in this region",
        "correct `provider.aws.instance_type`",
    ),
    Meaning::new(
        &["InvalidAMIID*", "InvalidImageID*"],
        "the image does not exist in this region, or the account may not use it",
        "correct `provider.aws.image` (an image has another id in each region), or omit it for the newest Debian 13",
    ),
    Meaning::new(
        &["InvalidSubnetID*", "InvalidSubnet", "InvalidSubnet.NotFound"],
        "the subnet does not exist in this region",
        "correct `provider.aws.subnet`, or omit it",
    ),
    Meaning::new(
        &["InvalidVpcID*"],
        "the VPC does not exist in this region",
        "correct `provider.aws.vpc`, or omit it for the default VPC",
    ),
    Meaning::new(
        &["VPCIdNotSpecified", "DefaultVpcDoesNotExist", "DefaultSubnetDoesNotExist*"],
        "the account has no default VPC in this region",
        "set `provider.aws.vpc` or `provider.aws.subnet`, or create a default VPC with `aws ec2 create-default-vpc`",
    ),
    Meaning::new(
        &["InvalidParameterValue", "InvalidIamInstanceProfileName*", "InvalidIamInstanceProfileArn*"],
        "the instance profile does not exist",
        "correct `provider.aws.instance_profile`; docs/iam-discovery.json is the policy for its role",
    )
    .with_phrase("instance profile"),
    Meaning::new(
        &["InvalidParameterValue", "InvalidUserData*"],
        "the instance's user data exceeds EC2's limit of 16 KB",
        "please report this with the spec: monctl passes only a few keys",
    )
    .with_phrase("user data is limited"),
    // What is in the way.
    Meaning::new(
        &["OperationNotPermitted"],
        "the instance is protected from termination",
        "set `termination_protection: false` in the spec and run `monctl up`, or disable the protection by hand; then \
         run `monctl down` again",
    ),
    Meaning::new(
        &["DependencyViolation", "ResourceInUse", "InvalidGroup.InUse"],
        "a resource outside this project still uses the target of `{action}`",
        "detach the resource that the message above names (usually an interface or a rule of another group), then run \
         the command again",
    ),
    Meaning::new(
        &["IdempotentParameterMismatch"],
        "an earlier run made the same request with other settings",
        "run the command again; if it fails again, remove the project with `monctl down` first",
    ),
    Meaning::new(
        &["InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable"],
        "{service} had an internal failure in all attempts of `{action}`",
        "wait and run the command again: it continues from here; https://health.aws.amazon.com shows outages",
    ),
];
