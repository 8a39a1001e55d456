//! The EC2 client: credentials, region, retries, timeouts, and the number of calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_ec2::config::SharedHttpClient;
use aws_sdk_ec2::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, ConnectorBuilder};

use super::credentials;
use super::error::{self, unsent};
use crate::error::{Error, Result};
use crate::http::trust::ca_bundle;
use crate::spec::{AwsSettings, Region};

/// The call that returns the owner of the credentials.
const WHO: &str = "sts:GetCallerIdentity";

/// Attempts of one call, the first included: EC2 throttles calls of a busy account for a second or two.
const TRIES: u32 = 6;
/// The first pause between attempts; each is twice the one before, with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// Timeout of one attempt: EC2 answers most calls within a second, `RunInstances` sometimes in more than five.
const TRY_LIMIT: Duration = Duration::from_secs(15);
/// Timeout of all attempts of one call together.
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
    /// The AWS partition of the region: `aws`, `aws-cn`, ….
    pub partition: &'static str,
    calls: Calls,
}

impl Api {
    /// Finds region and credentials where AWS' own tools do, and queries the caller's identity.
    pub(super) async fn connect(settings: &AwsSettings) -> Result<Self> {
        unsent::check_proxies()?;
        let source = credentials::source().await?;
        let config = config(settings).await?;
        let region = config.region().map(ToString::to_string).ok_or_else(error::no_region)?;
        let region =
            region.parse::<Region>().map_err(|rule| error::malformed_region(&region, rule))?.to_string();
        let credentials = credentials::load(&config, &source).await?;
        let config = config.into_builder().credentials_provider(credentials).build();
        let calls = Calls::default();
        let sts = aws_sdk_sts::config::Builder::from(&config).interceptor(calls.clone()).build();
        let identity = aws_sdk_sts::Client::from_conf(sts).get_caller_identity().send().await;
        let identity = identity.map_err(|failed| error::explain(WHO, &failed))?;
        let account = identity.account().ok_or_else(|| error::incomplete(WHO, "no account"))?;
        if let Some(wanted) = settings.account.as_ref().filter(|wanted| wanted.as_str() != account) {
            return Err(error::wrong_account(wanted, account));
        }
        let ec2 = aws_sdk_ec2::config::Builder::from(&config).interceptor(calls.clone()).build();
        Ok(Self {
            ec2: aws_sdk_ec2::Client::from_conf(ec2),
            account: account.to_owned(),
            caller: identity.arn().ok_or_else(|| error::incomplete(WHO, "no ARN"))?.to_owned(),
            partition: partition(&region),
            region,
            calls,
        })
    }

    /// Number of requests sent, retries included.
    pub(super) fn calls(&self) -> usize {
        self.calls.0.load(Ordering::Relaxed)
    }
}

async fn config(settings: &AwsSettings) -> Result<aws_config::SdkConfig> {
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
        loader = loader.region(aws_config::Region::new(region.to_string()));
    }
    if let Some(endpoint) = &settings.endpoint {
        loader = loader.endpoint_url(endpoint.to_string());
    }
    if let Some(bundle) = ca_bundle()? {
        loader = loader.http_client(client_that_trusts(bundle.pem)?);
    }
    Ok(loader.load().await)
}

/// The SDK's usual client, except that it trusts only the certificates of `AWS_CA_BUNDLE`, as AWS' own tools do.
fn client_that_trusts(pem: Vec<u8>) -> Result<SharedHttpClient> {
    let store = TrustStore::empty().with_pem_certificate(pem);
    let context = TlsContext::builder().with_trust_store(store).build();
    let context = context.map_err(|failed| {
        Error::could_not_run("the certificates of `AWS_CA_BUNDLE` cannot be used").because(failed)
    })?;
    Ok(Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = ConnectorBuilder::default()
            .tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(context.clone())
            .proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(aws_sdk_ec2::config::RuntimeComponents::sleep_impl));
        connector.build()
    }))
}

/// The AWS partition of a region: each has its own accounts, names and image publishers.
fn partition(region: &str) -> &'static str {
    let known = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("eu-isoe-", "aws-iso-e"),
        ("eusc-", "aws-eusc"),
    ];
    known.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
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
