//! Errors through the binary: EC2's error codes, explained, with the documented exit code; and calls without an answer.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;

use crate::computer::Computer;
use crate::pool::{each, with_double};
use crate::support::ec2_double::{Caller, Ec2 as _};

/// A code of EC2, its message, the action, and the expected text and exit code.
type CodeCase = (&'static str, &'static str, &'static str, &'static str, i32);

const LOOK: &str = "DescribeInstances";
const RUN: &str = "RunInstances";

const CODES: [CodeCase; 23] = [
    (
        "UnauthorizedOperation",
        "You are not authorized to perform this operation.",
        LOOK,
        "`ec2:DescribeInstances`",
        5,
    ),
    (
        "UnauthorizedOperation",
        "User: arn:aws:iam::1:user/a is not authorized to perform: ec2:CreateTags on resource: b because no identity-based policy allows the ec2:CreateTags action. Encoded authorization failure message: AQoDY",
        RUN,
        "`ec2:CreateTags`",
        1,
    ),
    (
        "UnauthorizedOperation",
        "is not authorized to perform: ec2:RunInstances with an explicit deny in a service control policy",
        RUN,
        "organisation",
        1,
    ),
    ("AccessDenied", "is not authorized to perform: iam:PassRole on resource: r", RUN, "`iam:PassRole`", 1),
    ("VcpuLimitExceeded", "You have requested more vCPU capacity", RUN, "L-1216C47A", 1),
    ("InstanceLimitExceeded", "Your quota allows for 0 more running instance(s)", RUN, "Service Quotas", 1),
    ("AddressLimitExceeded", "Too many addresses allocated", "AllocateAddress", "L-0263D0A3", 1),
    ("OptInRequired", "You are not subscribed to this service", LOOK, "AWS Regions", 5),
    ("PendingVerification", "Your account is currently being verified.", RUN, "wait for the e-mail", 1),
    ("AuthFailure", "AWS was not able to validate the provided access credentials", LOOK, "region first", 5),
    (
        "InvalidClientTokenId",
        "The security token included in the request is invalid",
        "GetCallerIdentity",
        "does not know the access key",
        5,
    ),
    (
        "ExpiredToken",
        "The security token included in the request is expired",
        "GetCallerIdentity",
        "aws sso login",
        5,
    ),
    ("RequestExpired", "Request has expired.", LOOK, "have expired", 5),
    (
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match",
        "GetCallerIdentity",
        "secret access key",
        5,
    ),
    (
        "InsufficientInstanceCapacity",
        "We currently do not have sufficient t3.small capacity",
        RUN,
        "provider.aws.alternatives",
        1,
    ),
    (
        "Unsupported",
        "The requested configuration is currently not supported.",
        RUN,
        "does not offer the instance type",
        1,
    ),
    ("InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist", RUN, "provider.aws.image", 1),
    ("InvalidParameterValue", "User data is limited to 16384 bytes", RUN, "16 KB", 1),
    ("SecurityGroupLimitExceeded", "You've reached the limit", "CreateSecurityGroup", "L-E79EC296", 1),
    (
        "RulesPerSecurityGroupLimitExceeded",
        "The maximum number of rules",
        "AuthorizeSecurityGroupIngress",
        "L-0EA8095F",
        1,
    ),
    ("VolumeLimitExceeded", "You have exceeded your maximum gp3 storage limit", RUN, "provider.aws.disk", 1),
    ("RequestLimitExceeded", "Request limit exceeded.", RUN, "wait a minute", 1),
    ("Brand.NewCode", "This code is new.", RUN, "EC2 returned `Brand.NewCode`: This code is new", 1),
];

#[test]
fn each_code_is_explained_with_its_remedy_and_its_exit_code() {
    each(CODES, |(code, message, action, wanted, exit), double| {
        let computer = Computer::new(double);
        computer.spec(if *action == "AllocateAddress" { &["elastic_ip: true"] } else { &[] }, 1);
        double.fault(
            &json!({"action": action, "do": "refuse", "code": code, "message": message, "times": null}),
        );
        let ran = computer.run("up --yes").code(*exit).stderr_contains(wanted).stderr_contains(code);
        ran.stderr_contains("help:").stderr_lacks("service error").stderr_lacks("AQoDY");
    });
}

#[test]
fn a_failed_removal_is_explained_with_its_remedy() {
    let cases = [
        ("OperationNotPermitted", "TerminateInstances", "termination_protection: false"),
        ("UnauthorizedOperation", "TerminateInstances", "`ec2:TerminateInstances`"),
    ];
    each(cases, |(code, action, wanted), double| {
        let computer = Computer::new(double);
        computer.up();
        double
            .fault(&json!({"action": action, "do": "refuse", "code": code, "message": "No.", "times": null}));
        computer.run("down --yes").code(1).stderr_contains(wanted);
    });
}

/// A problem of the computer because of which no call succeeds.
#[derive(Debug, Clone, Copy)]
enum Obstacle {
    NoCredentials,
    UnknownProfile,
    SsoSessionHasExpired,
    NoRegion,
    UnknownKey,
    WrongSecret,
    NobodyListens,
    UnknownName,
    NotTls,
    Silence,
    OtherAccount,
    SomebodyElse,
}

#[test]
fn problems_that_affect_every_call_are_reported_before_any_change() {
    use Obstacle::*;
    let cases = [
        (NoCredentials, "no credentials"),
        (UnknownProfile, "no profile `nowhere`"),
        (SsoSessionHasExpired, "the SSO session has expired"),
        (NoRegion, "no region is set"),
        (UnknownKey, "`InvalidClientTokenId`"),
        (WrongSecret, "secret access key does not belong"),
        (NobodyListens, "refused"),
        (UnknownName, "its name cannot be resolved"),
        (NotTls, "TLS"),
        (Silence, "not answered in time"),
        (OtherAccount, "000000000000"),
        (SomebodyElse, "404"),
    ];
    each(cases, |(obstacle, wanted), double| {
        let mut computer = Computer::new(double);
        let caller = double.administrator.clone();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let silent = format!("endpoint: http://127.0.0.1:{port}");
        let tls = double.endpoint.replace("http:", "endpoint: https:");
        let elsewhere = format!("endpoint: {}/double/nothing", double.endpoint);
        match obstacle {
            NoCredentials | UnknownProfile | SsoSessionHasExpired => computer.caller = None,
            NoRegion => computer.spec(&["region: null"], 1),
            UnknownKey => {
                computer.caller = Some(Caller { access_key: "AKIANOBODYKNOWSTHIS0".into(), ..caller });
            }
            WrongSecret => computer.caller = Some(Caller { secret_key: "wrong".into(), ..caller }),
            NobodyListens => computer.spec(&["endpoint: http://127.0.0.1:1"], 1),
            UnknownName => computer.spec(&["endpoint: http://ec2.invalid"], 1),
            NotTls => computer.spec(&[&tls], 1),
            Silence => computer.spec(&[&silent], 1),
            OtherAccount => computer.spec(&["account: \"000000000000\""], 1),
            SomebodyElse => computer.spec(&[&elsewhere], 1),
        }
        let mut call = computer.call("up --yes");
        if matches!(obstacle, UnknownProfile) {
            computer.write_aws_config("[profile shop]\nregion = eu-central-1\n");
            call = call.env("AWS_PROFILE", "nowhere");
        }
        if matches!(obstacle, SsoSessionHasExpired) {
            computer.write_aws_config(EXPIRED_SSO);
            call = call.env("AWS_PROFILE", "shop");
        }
        let ran = call.run().code(5).stderr_contains(wanted).stderr_contains("help:");
        ran.stderr_lacks("service error").stderr_lacks("dispatch failure").within(Duration::from_secs(75));
        assert!(double.counts().is_empty());
    });
}

const EXPIRED_SSO: &str = "\
[profile shop]
sso_session = shop
sso_account_id = 123456789012
sso_role_name = operator
region = eu-central-1

[sso-session shop]
sso_region = eu-central-1
sso_start_url = https://shop.invalid/start
";

#[test]
fn a_profile_and_the_environments_region_are_taken() {
    with_double(|double| {
        let mut computer = Computer::new(double);
        let caller = computer.caller.take().unwrap();
        computer.spec(&["region: null"], 1);
        computer.write_aws_config(&format!(
            "[profile shop]\naws_access_key_id = {}\naws_secret_access_key = {}\nregion = eu-west-1\n",
            caller.access_key, caller.secret_key
        ));
        let plan = computer.call("plan").env("AWS_PROFILE", "shop").run().code(3);
        let plan = plan.stdout_contains("123456789012").stdout_contains("eu-west-1");
        assert!(plan.stdout.contains("eu-west-1a"), "{plan}");
        let ran = computer.call("plan").env("AWS_PROFILE", "shop").env("AWS_REGION", "eu-north-1").run();
        ran.code(3).stdout_contains("eu-north-1");
    });
}

/// Codes whose message is enough; the page omits them.
const NOT_ON_THE_PAGE: [&str; 5] = [
    "InvalidParameterValue",
    "SecurityGroupLimitExceeded",
    "RulesPerSecurityGroupLimitExceeded",
    "VolumeLimitExceeded",
    "Brand.NewCode",
];

#[test]
fn the_page_for_aws_users_has_the_codes_that_they_meet() {
    let page = include_str!("../../docs/aws.md");
    for (code, ..) in CODES.iter().filter(|(code, ..)| !NOT_ON_THE_PAGE.contains(code)) {
        assert!(page.contains(&format!("`{code}`")), "docs/aws.md does not name `{code}`");
    }
}
