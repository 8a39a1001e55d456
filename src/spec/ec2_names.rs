//! Small types of the spec's section `provider.aws` in place of plain strings.

use super::text_type::text_type;

text_type! {
    /// A region of AWS, such as `eu-central-1`.
    Region,
    "^[a-z]{2,4}(-[a-z]+)+-[0-9]+$",
    "eu-central-1",
    |text| {
        let parts: Vec<&str> = text.split('-').collect();
        let word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
        parts.len() >= 3
            && (2..=4).contains(&parts[0].len())
            && parts[..parts.len() - 1].iter().all(word)
            && parts.last().is_some_and(|last| !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()))
    },
    "a region is written like `eu-central-1`"
}

text_type! {
    /// The number of an AWS account: twelve digits. Written in quotes, since it may begin with 0.
    AccountId,
    "^[0-9]{12}$",
    "123456789012",
    |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()),
    "an account is written as its twelve digits, in quotes"
}

text_type! {
    /// A type of EC2 instances, such as `t3.small`.
    InstanceType,
    "^[a-z][a-z0-9-]*\\.[a-z0-9-]+$",
    "t3.small",
    |text| {
        let part = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.split_once('.').is_some_and(|(family, size)| part(family) && part(size))
    },
    "an instance type is written like `t3.small`"
}

/// Whether the text is an id of EC2 with this prefix: followed by 8 or 17 hexadecimal digits.
fn is_ec2_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|digits| {
        [8, 17].contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

text_type! {
    /// The id of an image.
    ImageId,
    "^ami-([0-9a-f]{8}|[0-9a-f]{17})$",
    "ami-0123456789abcdef0",
    |text| is_ec2_id(text, "ami-"),
    "an image is written by its id, like `ami-0123456789abcdef0`"
}

text_type! {
    /// The id of a VPC.
    VpcId,
    "^vpc-([0-9a-f]{8}|[0-9a-f]{17})$",
    "vpc-0123456789abcdef0",
    |text| is_ec2_id(text, "vpc-"),
    "a VPC is written by its id, like `vpc-0123456789abcdef0`"
}

text_type! {
    /// The id of a subnet.
    SubnetId,
    "^subnet-([0-9a-f]{8}|[0-9a-f]{17})$",
    "subnet-0123456789abcdef0",
    |text| is_ec2_id(text, "subnet-"),
    "a subnet is written by its id, like `subnet-0123456789abcdef0`"
}

text_type! {
    /// The name of an IAM instance profile.
    ProfileName,
    "^[A-Za-z0-9+=,.@_-]{1,128}$",
    "monctl-discovery",
    |text| {
        (1..=128).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b))
    },
    "an instance profile is written by its name: letters, digits and `+=,.@_-`"
}

/// Whether EC2 and all other services accept this in tags: letters and digits of any script, spaces, `+-=._:/@`.
fn is_tag_text(text: &str, longest: usize) -> bool {
    let fits = |c: char| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c);
    text.chars().count() <= longest && text.chars().all(fits) && text.trim() == text
}

text_type! {
    /// The key of a user's tag.
    TagKey,
    "^[^ ].{0,127}$",
    "cost-center",
    |text| {
        let reserved = text.to_lowercase().starts_with("aws:") || text.starts_with("monctl:") || text == "Name";
        !text.is_empty() && !reserved && is_tag_text(text, 128)
    },
    "a tag's key has up to 128 letters, digits, spaces and `+-=._:/@`, and is neither `Name` nor begins with `aws:` or `monctl:`"
}

text_type! {
    /// The value of a tag.
    TagValue,
    "^.{0,256}$",
    "4711",
    |text| is_tag_text(text, 256),
    "a tag's value has up to 256 letters, digits, spaces and `+-=._:/@`; quote numbers"
}

text_type! {
    /// A KMS key: its ARN, its id, or an alias as `alias/NAME`.
    KmsKeyId,
    "^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/[A-Za-z0-9/_-]+|alias/[A-Za-z0-9/_-]+|[0-9a-f-]{36}|mrk-[0-9a-f]{32})$",
    "alias/monctl",
    |text| {
        let word = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b))
        };
        let id = text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-' || b"mrk".contains(&b));
        let arn = || {
            let parts: Vec<&str> = text.splitn(6, ':').collect();
            let named = parts.get(5).and_then(|it| it.strip_prefix("key/").or_else(|| it.strip_prefix("alias/")));
            matches!(parts[..], ["arn", partition, "kms", ..] if partition.starts_with("aws")) && named.is_some_and(word)
        };
        id || text.strip_prefix("alias/").is_some_and(word) || arn()
    },
    "a KMS key is written by its ARN, its id or as `alias/NAME`"
}

text_type! {
    /// The name of a user of a host.
    LoginName,
    "^[a-z_][a-z0-9_-]{0,31}$",
    "admin",
    |text| {
        (1..=32).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
    },
    "a user has up to 32 lower-case letters, digits, `_` and `-`, and begins with a letter or `_`"
}

impl InstanceType {
    /// Two CPUs and 2 GiB: the smallest type on which both roles run without swapping.
    pub(super) fn small() -> Self {
        Self("t3.small".to_owned())
    }
}

impl LoginName {
    /// The user of Debian's own images.
    pub(super) fn debian() -> Self {
        Self("admin".to_owned())
    }
}
