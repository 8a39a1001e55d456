//! The way to EC2: who calls, from where, how often a call is tried, and how many calls there were.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_ec2::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;

use super::error;
use crate::error::{Error, Result};
use crate::spec::Aws;

/// Tries of one call, the first included: EC2 refuses calls of a busy account for a second or two.
const TRIES: u32 = 6;
/// The first pause between tries; each is twice the one before, with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// One try: EC2 answers most calls within a second, `RunInstances` at bad times in more than five.
const TRY_LIMIT: Duration = Duration::from_secs(15);
/// All tries of one call together.
const CALL_LIMIT: Duration = Duration::from_mins(1);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A client with the caller's credentials in one region.
#[derive(Debug, Clone)]
pub(super) struct Api {
    pub ec2: aws_sdk_ec2::Client,
    /// The account's number.
    pub account: String,
    /// The caller, as IAM names it.
    pub caller: String,
    pub region: String,
    calls: Calls,
}

impl Api {
    /// Finds region and credentials where AWS' own tools do, and asks whose they are.
    pub(super) async fn connect(settings: &Aws) -> Result<Self> {
        let config = config(settings).await;
        let region = config.region().map(ToString::to_string).ok_or_else(error::no_region)?;
        let calls = Calls::default();
        let sts = aws_sdk_sts::config::Builder::from(&config).interceptor(calls.clone()).build();
        let identity = aws_sdk_sts::Client::from_conf(sts).get_caller_identity().send().await;
        let identity = identity.map_err(|failed| error::explain("sts:GetCallerIdentity", &failed))?;
        let account =
            identity.account().ok_or_else(|| Error::failed("STS did not say whose account it is"))?;
        if let Some(wanted) = settings.account.as_ref().filter(|wanted| wanted.as_str() != account) {
            return Err(error::wrong_account(wanted, account));
        }
        let ec2 = aws_sdk_ec2::config::Builder::from(&config).interceptor(calls.clone()).build();
        Ok(Self {
            ec2: aws_sdk_ec2::Client::from_conf(ec2),
            account: account.to_owned(),
            caller: identity.arn().unwrap_or_default().to_owned(),
            region,
            calls,
        })
    }

    /// How many requests were sent, tries included.
    pub(super) fn calls(&self) -> usize {
        self.calls.0.load(Ordering::Relaxed)
    }
}

async fn config(settings: &Aws) -> aws_config::SdkConfig {
    let retry = RetryConfig::standard()
        .with_max_attempts(TRIES)
        .with_initial_backoff(FIRST_PAUSE)
        .with_max_backoff(LONGEST_PAUSE);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_LIMIT)
        .operation_attempt_timeout(TRY_LIMIT)
        .operation_timeout(CALL_LIMIT);
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(retry)
        .timeout_config(timeouts.build());
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.to_string()));
    }
    if let Some(endpoint) = &settings.endpoint {
        loader = loader.endpoint_url(endpoint.to_string());
    }
    loader.load().await
}

/// Counts requests as they are sent.
#[derive(Debug, Clone, Default)]
struct Calls(Arc<AtomicUsize>);

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "calls"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
