//! Texts of each failure: the message, EC2's own message, and the remedy.

use aws_sdk_ec2::error::ErrorMetadata;
use aws_sdk_ec2::operation::run_instances::RunInstancesError;

use super::*;

const RUN: &str = "ec2:RunInstances";
const LOOK: &str = "ec2:DescribeInstances";

fn answer<'a>(action: &'a str, code: &'a str, message: &'a str) -> Answer<'a> {
    Answer { action, code, message, request: None, apart: None }
}

fn whole(error: &Error) -> String {
    [&[error.message().to_owned()], &*error.causes(), &[error.hint().unwrap_or_default().to_owned()]]
        .concat()
        .join("\n")
}

/// An answer as the SDK returns it.
fn answered(
    code: Option<&str>,
    message: &str,
    status: u16,
    date: Option<&str>,
) -> SdkError<RunInstancesError> {
    let mut meta = ErrorMetadata::builder().message(message);
    if let Some(code) = code {
        meta = meta.code(code);
    }
    let mut raw = HttpResponse::new(status.try_into().unwrap(), "".into());
    if let Some(date) = date {
        raw.headers_mut().insert("date", date.to_owned());
    }
    SdkError::service_error(RunInstancesError::generic(meta.build()), raw)
}

#[test]
fn each_code_has_a_meaning_and_a_remedy() {
    let cases = [
        ("UnauthorizedOperation", "You are not authorized to perform this operation.", "`ec2:RunInstances`"),
        (
            "AccessDenied",
            "User: x is not authorized to perform: iam:PassRole on resource: y",
            "allow `iam:PassRole`",
        ),
        ("UnauthorizedOperation", "not authorized to perform: ec2:X with an explicit deny", "which policy"),
        ("VcpuLimitExceeded", "more vCPU capacity", "L-1216C47A"),
        ("InstanceLimitExceeded", "", "quota of instances"),
        ("AddressLimitExceeded", "", "L-0263D0A3"),
        ("OptInRequired", "", "Marketplace"),
        ("PendingVerification", "", "verified"),
        ("AuthFailure", "", "enable this region first"),
        ("InvalidClientTokenId", "", "does not know the access key"),
        ("ExpiredToken", "", "aws sso login"),
        ("RequestExpired", "Request has expired.", "have expired"),
        ("SignatureDoesNotMatch", "", "secret access key"),
        ("RequestLimitExceeded", "", "too many requests"),
        ("InsufficientInstanceCapacity", "", "provider.aws.alternatives"),
        ("Unsupported", "", "does not offer the instance type"),
        ("InvalidAMIID.NotFound", "", "provider.aws.image"),
        ("InvalidAMIID.Malformed", "", "provider.aws.image"),
        ("DependencyViolation", "", "still uses"),
        ("OperationNotPermitted", "may not be terminated", "termination_protection: false"),
        ("InvalidParameterValue", "User data is limited to 16384 bytes", "16 KB"),
        (
            "InvalidParameterValue",
            "Value (x) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
            "provider.aws.instance_profile",
        ),
        ("VPCIdNotSpecified", "No default VPC for this user", "create-default-vpc"),
        ("InvalidSubnetID.NotFound", "", "provider.aws.subnet"),
        ("InternalError", "", "health.aws.amazon.com"),
    ];
    for (code, message, wanted) in cases {
        let error = answer(RUN, code, message).explain();
        assert!(whole(&error).contains(wanted), "{code}: no {wanted:?} in {}", whole(&error));
        assert!(error.causes()[0].contains(&format!("EC2 returned `{code}`")), "{:?}", error.causes());
    }
}

#[test]
fn every_row_of_the_table_has_no_unfilled_placeholder_and_no_final_stop() {
    for meaning in codes::MEANINGS.iter().chain([&codes::CLOCK]) {
        let filled = answer(RUN, "X", "").fill(meaning.means);
        assert!(!filled.contains(['{', '}']) && !filled.ends_with('.'), "{filled}");
        let remedy = answer(RUN, "X", "").fill(meaning.remedy);
        assert!(!remedy.contains(['{', '}']) && !remedy.ends_with('.') && !remedy.is_empty(), "{remedy}");
    }
}

#[test]
fn an_unknown_code_is_shown_with_ec2s_message() {
    let error = explain(RUN, &answered(Some("Strange.New"), "It is so.", 400, None));
    assert_eq!(error.message(), "`ec2:RunInstances` failed: EC2 returned `Strange.New`: It is so");
    assert_eq!((error.exit(), error.causes().len()), (Exit::Failed, 0));
}

#[test]
fn another_parameter_that_is_invalid_is_not_taken_for_a_known_one() {
    let error = answer(RUN, "InvalidParameterValue", "Invalid value '0' for disk").explain();
    assert!(error.message().contains("Invalid value '0' for disk"), "{error}");
}

#[test]
fn the_encoded_part_of_a_message_is_left_out() {
    let message = "You are not authorized to perform this operation. User: a is not authorized to perform: \
                   ec2:CreateTags on resource: b. Encoded authorization failure message: AQoDYXdzEJr";
    let error = answer(RUN, "UnauthorizedOperation", message).explain();
    assert!(!whole(&error).contains("AQoDYXdz") && !whole(&error).contains("Encoded"), "{}", whole(&error));
    assert!(error.message().contains("`ec2:CreateTags`"), "{error}");
}

#[test]
fn no_access_in_a_read_only_call_is_could_not_run() {
    for code in
        ["UnauthorizedOperation", "AuthFailure", "ExpiredToken", "OptInRequired", "InvalidClientTokenId"]
    {
        assert_eq!(answer(LOOK, code, "").explain().exit(), Exit::CouldNotRun, "{code}");
        assert_eq!(answer(RUN, code, "").explain().exit(), Exit::Failed, "{code}");
    }
    assert_eq!(answer(LOOK, "RequestLimitExceeded", "").explain().exit(), Exit::Failed);
}

#[test]
fn a_wrong_clock_is_reported_with_the_difference() {
    let error =
        explain(LOOK, &answered(Some("RequestExpired"), "", 400, Some("Wed, 01 Jan 2020 00:00:00 GMT")));
    assert!(error.message().contains("clock") && error.hint().unwrap().contains("timedatectl"), "{error}");
    let now = SystemTime::UNIX_EPOCH + Duration::from_hours(438_288);
    assert_eq!(apart("Wed, 01 Jan 2020 00:10:00 GMT", now), Some(Duration::from_mins(10)));
    assert_eq!(apart("Tue, 31 Dec 2019 23:50:00 GMT", now), Some(Duration::from_mins(10)));
    assert_eq!(apart("Wed, 01 Jan 2020 00:03:00 GMT", now), None);
}

#[test]
fn a_wrong_clock_does_not_change_the_meaning_of_other_codes() {
    let error =
        explain(LOOK, &answered(Some("OptInRequired"), "", 400, Some("Wed, 01 Jan 2020 00:00:00 GMT")));
    assert!(!error.message().contains("clock"), "{error}");
}

#[test]
fn an_answer_in_another_format_is_reported_by_its_status() {
    let error = explain(LOOK, &answered(None, "", 503, None));
    assert!(error.message().contains("503") && error.hint().unwrap().contains("proxy"), "{error}");
    assert_eq!(code(&answered(None, "", 503, None)), None);
    assert_eq!(code(&answered(Some("A"), "", 400, None)), Some("A"));
}

#[test]
fn causes_of_unanswered_calls_are_recognized_by_their_phrases() {
    let cases = [
        (
            "the credential provider was not enabled\nno credentials found in chain. Attempted:",
            "no credentials",
            "aws configure",
        ),
        (
            "no credentials found in chain. Attempted:\n  Profile: profile `default` was not defined: x",
            "no credentials",
            "aws configure",
        ),
        (
            "an error occurred while loading credentials\nthe SSO token has expired and cannot be refreshed",
            "the SSO session has expired",
            "aws sso login",
        ),
        (
            "unexpected credentials error\ncached Login token is expired",
            "the session of `aws login` has expired",
            "aws login",
        ),
        (
            "an error occurred while loading credentials\nfailed to refresh cached Login token: Your session has \
             expired. Please reauthenticate.\nAccessDeniedException",
            "the session of `aws login` has expired",
            "aws login",
        ),
        (
            "an error occurred while loading credentials\nfailed to refresh cached Login token\nunhandled error\n\
             dns error\nfailed to lookup address information",
            "the service that provides the credentials cannot be reached: its name cannot be resolved",
            "internet",
        ),
        (
            "an error occurred while loading credentials\nfailed to refresh cached Login token: Unable to refresh \
             credentials due to insufficient permissions.\nAccessDeniedException",
            "the credentials cannot be loaded",
            "get-caller-identity",
        ),
        (
            "an error occurred while loading credentials\nan error occurred while loading an access token\n\
             HTTP connect timeout occurred after 3.1s",
            "the service that provides the credentials cannot be reached: it did not answer in time",
            "firewall",
        ),
        ("Invalid Configuration: Missing Region", "no region", "AWS_REGION"),
        ("dns error\nfailed to lookup address information", "name cannot be resolved", "endpoint"),
        ("tcp connect error\nConnection refused (os error 111)", "refused", "endpoint"),
        ("invalid peer certificate: UnknownIssuer", "TLS", "AWS_CA_BUNDLE"),
        ("HTTP connect timeout occurred after 3.1s", "in time", "firewall"),
        ("something else", "not answered", "internet"),
    ];
    for (chain, means, remedy) in cases {
        let chain: Vec<String> =
            [vec!["dispatch failure".to_owned()], chain.split('\n').map(str::to_owned).collect()].concat();
        let error = unsent::words(LOOK, &chain, None);
        assert!(error.message().contains(means), "no {means:?} in {error}");
        assert!(error.hint().unwrap().contains(remedy), "no {remedy:?} in {:?}", error.hint());
        assert_eq!(error.exit(), Exit::CouldNotRun);
        assert!(!whole(&error).contains("dispatch failure") && !whole(&error).contains("service error"));
    }
    let late = unsent::words(RUN, &["Connection refused".to_owned()], Some("`HTTPS_PROXY=proxy:1`"));
    assert!(whole(&late).contains("HTTPS_PROXY"), "{late}");
    assert_eq!(late.exit(), Exit::Failed);
}

#[test]
fn another_account_and_no_region_stop_before_any_change() {
    let error = wrong_account(&"123456789012".parse().unwrap(), "999999999999");
    assert!(whole(&error).contains("999999999999") && whole(&error).contains("AWS_PROFILE"));
    assert_eq!((error.exit(), no_region().exit()), (Exit::CouldNotRun, Exit::CouldNotRun));
}

#[test]
fn all_spellings_of_a_not_found_code_are_recognized() {
    let families = ["InvalidGroup", "InvalidSecurityGroup", "InvalidKeyPair"];
    for code in [
        "InvalidGroup.NotFound",
        "InvalidGroupId.NotFound",
        "InvalidGroupID.NotFound",
        "InvalidSecurityGroupID.NotFound",
        "InvalidSecurityGroup.NotFound",
        "InvalidKeyPair.NotFound",
    ] {
        assert!(is_not_found(code, &families), "{code}");
    }
    for code in ["InvalidGroup.Duplicate", "InvalidAMIID.NotFound", "InvalidGroup.InUse"] {
        assert!(!is_not_found(code, &families), "{code}");
    }
}

#[test]
fn a_dry_run_succeeds_only_with_its_own_code() {
    let answer = |code: &str| answered(Some(code), "", 412, None);
    assert!(allowed(RUN, Err::<(), _>(answer("DryRunOperation")), &[]).is_ok());
    let fine = ["IncorrectInstanceState"];
    assert!(allowed(RUN, Err::<(), _>(answer("IncorrectInstanceState")), &fine).is_ok());
    for code in ["UnauthorizedOperation", "IncorrectInstanceState"] {
        let error = allowed(RUN, Err::<(), _>(answer(code)), &[]).unwrap_err();
        assert!(whole(&error).contains(code), "{error}");
    }
}

#[tokio::test]
async fn a_denied_removal_is_ignored_only_if_the_resource_is_gone() {
    let denied =
        || RemovalObstacle::of("ec2:DeleteKeyPair", &answered(Some("UnauthorizedOperation"), "", 403, None));
    assert!(denied().unless_gone(async { Ok(false) }).await.is_ok());
    assert!(denied().unless_gone(async { Ok(true) }).await.is_err());
    assert!(denied().unless_gone(async { Err(no_region()) }).await.is_err());
    let in_use = RemovalObstacle::of("ec2:DeleteVolume", &answered(Some("VolumeInUse"), "", 400, None));
    assert!(in_use.unless_gone(async { Ok(false) }).await.is_err(), "only a denial may mean that it is gone");
}
