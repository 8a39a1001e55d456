//! What is known of each code that EC2 and STS answer with: what it means here and what to do, as data.
//!
//! `{action}` is the call, `{permission}` the IAM action that is missing, `{service}` who answered, `{apart}` the
//! time between the two clocks.

/// One thing that can be the matter.
#[derive(Debug)]
pub(super) struct Meaning {
    /// The codes that say it; one that ends in `*` stands for all that begin so.
    codes: &'static [&'static str],
    /// Words of the message, where the code alone says too little.
    says: Option<&'static str>,
    /// What it means here.
    pub(super) means: &'static str,
    /// What to do.
    pub(super) remedy: &'static str,
    /// Whether the caller is kept from the account altogether.
    pub(super) shut_out: bool,
}

impl Meaning {
    const fn new(codes: &'static [&'static str], means: &'static str, remedy: &'static str) -> Self {
        Self { codes, says: None, means, remedy, shut_out: false }
    }

    const fn saying(mut self, words: &'static str) -> Self {
        self.says = Some(words);
        self
    }

    const fn shut_out(mut self) -> Self {
        self.shut_out = true;
        self
    }

    /// Whether an answer means this. Messages are compared without regard to case.
    pub(super) fn fits(&self, code: &str, message: &str) -> bool {
        let named = self.codes.iter().any(|known| match known.strip_suffix('*') {
            Some(beginning) => code.starts_with(beginning),
            None => code == *known,
        });
        named && self.says.is_none_or(|words| message.to_lowercase().contains(words))
    }
}

/// What to do about a code that is not in the table.
pub(super) const UNKNOWN_REMEDY: &str =
    "what was made carries the project's tags: run the same again, or remove it with `monctl down`";

/// The codes behind which the clock may be, since a signature carries the time.
pub(super) const SIGNATURE: [&str; 6] = [
    "SignatureDoesNotMatch",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "InvalidSignatureException",
    "AuthFailure",
    "RequestInTheFuture",
];

/// The clock is wrong. Not in the table, since no code says it: the server's `Date` does.
pub(super) const CLOCK: Meaning = Meaning::new(
    &[],
    "this computer's clock and {service}'s are {apart} apart, so that the signature of `{action}` is refused",
    "set the clock, for example with `timedatectl set-ntp true`, then run the same again",
)
.shut_out();

/// The table. The first row that fits counts.
pub(super) const MEANINGS: &[Meaning] = &[
    // Who the caller is.
    Meaning::new(
        &["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"],
        "the credentials may not do `{permission}`: a policy denies it explicitly",
        "ask whoever manages the account which policy (also of the organisation, or a permissions boundary) denies \
         `{permission}`",
    )
    .saying("explicit deny")
    .shut_out(),
    Meaning::new(
        &["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"],
        "the credentials may not do `{permission}`",
        "allow `{permission}` to the user or role; docs/iam-policy.json is the whole policy that monctl needs",
    )
    .shut_out(),
    Meaning::new(
        &["InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"],
        "{service} does not know the access key",
        "the key was deleted or deactivated, or is of another partition: see `aws sts get-caller-identity`, then take \
         credentials that are valid",
    )
    .shut_out(),
    Meaning::new(
        &["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"],
        "the credentials have expired",
        "get new ones (`aws sso login`, or whatever issued them), then run the same again: it goes on from here",
    )
    .shut_out(),
    Meaning::new(
        &["SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"],
        "the secret access key does not belong to the access key",
        "copy both again: a character is missing or too much",
    )
    .shut_out(),
    Meaning::new(
        &["AuthFailure"],
        "{service} does not accept the credentials in this region",
        "see whether the key is valid (`aws sts get-caller-identity`), and whether the region is one that the account \
         must enable first",
    )
    .shut_out(),
    Meaning::new(
        &["OptInRequired"],
        "the account may not use what `{action}` asks for before it is subscribed to it",
        "enable the region under Account, AWS Regions, or accept the image's terms in the AWS Marketplace; the message \
         above says which",
    )
    .shut_out(),
    Meaning::new(
        &["PendingVerification"],
        "AWS has not verified the account for this region yet",
        "wait for the e-mail of AWS (mostly minutes, at most four hours), then run the same again",
    ),
    Meaning::new(
        &["Blocked"],
        "AWS has blocked the account",
        "open a case with AWS Support: only they can lift it",
    )
    .shut_out(),
    // How much the account may have.
    Meaning::new(
        &["VcpuLimitExceeded"],
        "the account's quota of vCPUs in this region does not suffice",
        "raise `Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances` (L-1216C47A) in Service Quotas, \
         Amazon EC2, choose smaller types in `provider.aws.instance_type`, or end instances that nobody needs",
    ),
    Meaning::new(
        &["InstanceLimitExceeded"],
        "the account's quota of instances of this type in this region does not suffice",
        "raise the quota of the type in Service Quotas, Amazon EC2, or choose another in `provider.aws.instance_type`",
    ),
    Meaning::new(
        &["AddressLimitExceeded"],
        "the account's quota of elastic addresses in this region does not suffice",
        "raise `EC2-VPC Elastic IPs` (L-0263D0A3) in Service Quotas, Amazon EC2, release addresses that nobody needs, or \
         leave `provider.aws.elastic_ip` out",
    ),
    Meaning::new(
        &["SecurityGroupLimitExceeded"],
        "the account's quota of security groups in this region does not suffice",
        "raise `VPC security groups per Region` (L-E79EC296) in Service Quotas, Amazon VPC, or remove groups that nobody \
         needs",
    ),
    Meaning::new(
        &["RulesPerSecurityGroupLimitExceeded"],
        "a security group would have more rules than its quota allows",
        "raise `Inbound or outbound rules per security group` (L-0EA8095F) in Service Quotas, Amazon VPC, or write fewer \
         networks into `app.allow` and `provider.aws.allow_ssh_from`",
    ),
    Meaning::new(
        &["VolumeLimitExceeded", "MaxStorageLimitExceeded*"],
        "the account's quota of gp3 storage in this region does not suffice",
        "raise `Storage for General Purpose SSD (gp3) volumes` (L-7A658B76) in Service Quotas, Amazon EBS, or write a \
         smaller `provider.aws.disk`",
    ),
    Meaning::new(
        &["RequestLimitExceeded", "Throttling*", "RequestThrottled*", "EC2ThrottledException", "SlowDown"],
        "{service} goes on refusing `{action}`: the account asks too much at once",
        "wait a minute, then run the same again: it goes on from here",
    ),
    // What there is.
    Meaning::new(
        &["InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientCapacity*"],
        "no zone that was tried has capacity for the instance type now",
        "write other types into `provider.aws.alternatives`, leave `provider.aws.subnet` out so that all zones are tried, \
         or run the same again later",
    ),
    Meaning::new(
        &["InsufficientFreeAddressesInSubnet"],
        "the subnet has no free address",
        "name another in `provider.aws.subnet`",
    ),
    Meaning::new(
        &["Unsupported", "UnsupportedOperation", "InstanceTypeNotSupported"],
        "what `{action}` asks for does not exist here; mostly the zone does not offer the instance type",
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
        "correct `provider.aws.image` (an image has another id in each region), or leave it out for the newest Debian 13",
    ),
    Meaning::new(
        &["InvalidSubnetID*", "InvalidSubnet", "InvalidSubnet.NotFound"],
        "the subnet does not exist in this region",
        "correct `provider.aws.subnet`, or leave it out",
    ),
    Meaning::new(
        &["InvalidVpcID*"],
        "the VPC does not exist in this region",
        "correct `provider.aws.vpc`, or leave it out for the default one",
    ),
    Meaning::new(
        &["VPCIdNotSpecified", "DefaultVpcDoesNotExist", "DefaultSubnetDoesNotExist*"],
        "the account has no default VPC in this region",
        "name one in `provider.aws.vpc` or `provider.aws.subnet`, or make it with `aws ec2 create-default-vpc`",
    ),
    Meaning::new(
        &["InvalidParameterValue", "InvalidIamInstanceProfileName*", "InvalidIamInstanceProfileArn*"],
        "the instance profile does not exist",
        "correct `provider.aws.instance_profile`; docs/iam-discovery.json is the policy for its role",
    )
    .saying("instance profile"),
    Meaning::new(
        &["InvalidParameterValue", "InvalidUserData*"],
        "what is handed to the instance at its start is more than the 16 KB that EC2 takes",
        "please report it with the spec: monctl hands over a few keys only",
    )
    .saying("user data is limited"),
    // What is in the way.
    Meaning::new(
        &["OperationNotPermitted"],
        "the instance is protected from termination",
        "set `termination_protection: false` in the spec and run `monctl up`, or take the protection off by hand; then \
         run `monctl down` again",
    ),
    Meaning::new(
        &["DependencyViolation", "ResourceInUse", "InvalidGroup.InUse"],
        "something that is not of this project still uses what `{action}` is about",
        "the message above names it; detach it (mostly an interface or a rule of another group), then run the same again",
    ),
    Meaning::new(
        &["IdempotentParameterMismatch"],
        "an earlier run asked for the same thing with other settings",
        "run the same again; where it stays, remove what is there with `monctl down` first",
    ),
    Meaning::new(
        &["InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable"],
        "{service} itself has a failure, also after several tries of `{action}`",
        "wait and run the same again, it goes on from here; https://health.aws.amazon.com shows what is down",
    ),
];
