//! Launches each instance exactly once, even if a run is interrupted. The parameters of the call are stored before it
//! is made: a later run repeats the same call with the same client token, and EC2 returns the same instance.

use std::time::Duration;

use aws_sdk_ec2::operation::run_instances::RunInstancesError;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, CreditSpecificationRequest, EbsBlockDevice, HttpTokensState,
    IamInstanceProfileSpecification, InstanceMetadataOptionsRequest, InstanceNetworkInterfaceSpecification,
    InstanceType, ResourceType, VolumeType,
};
use base64::Engine as _;

use super::AwsProvider;
use super::error::{SdkError, allowed, code, explain, incomplete, is_not_found};
use super::folder::Launch;
use super::tags::{VERSION, filter, size, specification};
use crate::digest::Sha256;
use crate::error::{Error, Result};
use crate::host::HostName;
use crate::plan::aws::{Candidate, Creation, Tags, tag};
use crate::retry::Patience;

type Failure = SdkError<RunInstancesError>;

const RUN: &str = "ec2:RunInstances";
/// Timeout until `RunInstances` knows a new key pair and a new group.
const KNOWN_WITHIN: Duration = Duration::from_secs(30);

/// Maximum number of used client tokens before the launch fails.
const STALE_TOKENS: usize = 20;

impl AwsProvider {
    /// Launches the instance of a host; returns its id. It may not run yet, nor be visible to other calls.
    pub(super) async fn launch(&self, creation: &Creation, group: &str) -> Result<String> {
        let host = creation.host;
        let mut launch = match self.folder.launch(host)? {
            Some(begun) if begun.under_way && self.folder.initial_host_key(host)?.is_some() => begun,
            last => {
                self.folder.make_host_key(host).await?;
                let attempt = last.map_or(1, |last| last.attempt + 1);
                let first = creation.candidates.first().ok_or_else(|| nowhere(host))?;
                begin(attempt, first, creation, group)
            }
        };
        let mut stale = 0;
        let mut patience =
            Patience::new(KNOWN_WITHIN).pausing(Duration::from_millis(500), Duration::from_secs(3));
        loop {
            self.folder.keep_launch(host, &launch)?;
            let failed = match self.run(host, &launch).await {
                Ok(id) => return Ok(id),
                Err(failed) => failed?,
            };
            launch = match code(&failed) {
                Some("IdempotentInstanceTerminated") if stale < STALE_TOKENS => {
                    stale += 1;
                    Launch { attempt: launch.attempt + 1, ..launch }
                }
                Some("IdempotentParameterMismatch") if stale < STALE_TOKENS => {
                    // This token has already launched an instance with other parameters.
                    match self.launched(host, &launch).await? {
                        Some((id, true)) => return Ok(id),
                        Some((_, false)) => {
                            stale += 1;
                            Launch { attempt: launch.attempt + 1, ..launch }
                        }
                        None => return Err(explain(RUN, &failed).at(host.to_string())),
                    }
                }
                // A new key pair or group is not visible everywhere yet. Nothing was launched: the token is unused.
                Some(code)
                    if is_not_found(code, &["InvalidKeyPair", "InvalidGroup", "InvalidSecurityGroup"]) =>
                {
                    patience.again(explain(RUN, &failed).at(host.to_string())).await?;
                    launch
                }
                Some("InsufficientInstanceCapacity" | "Unsupported") => {
                    let Some(next) = next(&creation.candidates, &launch) else {
                        self.folder.end_launch(host)?;
                        return Err(explain(RUN, &failed).at(host.to_string()));
                    };
                    self.events.note(format!(
                        "{host}: no capacity for {} in {}; trying {} in {}",
                        launch.instance_type, launch.zone, next.instance_type, next.zone
                    ));
                    begin(launch.attempt + 1, next, creation, group)
                }
                _ => {
                    if is_refusal(&failed) {
                        self.folder.end_launch(host)?;
                    }
                    return Err(explain(RUN, &failed).at(host.to_string()));
                }
            };
        }
    }

    /// Makes the call. Errors of this computer are the inner error.
    async fn run(&self, host: HostName, launch: &Launch) -> Result<String, Result<Failure>> {
        let request = self.request(host, launch).map_err(Err)?;
        let token = self.token(host, launch).map_err(Err)?;
        let answer = request.client_token(token).send().await.map_err(Ok)?;
        match answer.instances() {
            [instance] => instance.instance_id().map(str::to_owned),
            _ => None,
        }
        .ok_or_else(|| Err(incomplete(RUN, "not one instance with its id")))
    }

    /// Checks with `DryRun` that the launch is permitted and valid; launches nothing. Capacity and quotas are checked
    /// only by a real launch.
    pub(super) async fn try_launch(&self, creation: &Creation, group: &str) -> Result<()> {
        let host = creation.host;
        let first = creation.candidates.first().ok_or_else(|| nowhere(host))?;
        let launch = begin(1, first, creation, group);
        let call = self.described(host, &launch, &self.launch_tags(host, &launch)?)?;
        allowed(RUN, call.dry_run(true).send().await, &[]).map_err(|error| error.at(host.to_string()))
    }

    /// The call for a launch, with the host's key.
    fn request(&self, host: HostName, launch: &Launch) -> Result<RunInstancesFluentBuilder> {
        let (private, public) = self.folder.host_key_halves(host)?;
        let user_data = user_data(&private, &public);
        let mut tags = self.launch_tags(host, launch)?;
        tags.insert(tag::HOST_KEY.into(), public);
        let call = self.described(host, launch, &tags)?;
        Ok(call.user_data(base64::engine::general_purpose::STANDARD.encode(user_data)))
    }

    /// The call without user data and client token. `instance` are the instance's tags.
    fn described(
        &self,
        host: HostName,
        launch: &Launch,
        instance: &Tags,
    ) -> Result<RunInstancesFluentBuilder> {
        let tags = self.launch_tags(host, launch)?;
        let mut volume = tags.clone();
        volume.insert(tag::GROWN.into(), launch.disk.to_string());
        let disk = EbsBlockDevice::builder()
            .volume_size(size(launch.disk)?)
            .volume_type(VolumeType::Gp3)
            .encrypted(true)
            .set_kms_key_id(launch.kms_key.clone())
            .delete_on_termination(true)
            .build();
        let metadata = InstanceMetadataOptionsRequest::builder()
            .http_tokens(HttpTokensState::Required)
            .http_put_response_hop_limit(1)
            .build();
        let profile =
            launch.profile.as_ref().map(|name| IamInstanceProfileSpecification::builder().name(name).build());
        let credits = launch
            .credits
            .map(|credits| CreditSpecificationRequest::builder().cpu_credits(credits.as_str()).build());
        let root = BlockDeviceMapping::builder().device_name(&launch.root_device).ebs(disk).build();
        let call = self
            .api
            .ec2
            .run_instances()
            .min_count(1)
            .max_count(1)
            .image_id(&launch.image)
            .instance_type(InstanceType::from(launch.instance_type.as_str()))
            .network_interfaces(interface(launch))
            .key_name(self.key_name())
            .block_device_mappings(root)
            .metadata_options(metadata)
            .disable_api_termination(launch.protection)
            .set_iam_instance_profile(profile)
            .set_credit_specification(credits)
            .tag_specifications(specification(ResourceType::Instance, instance))
            .tag_specifications(specification(ResourceType::Volume, &volume))
            .tag_specifications(specification(ResourceType::NetworkInterface, &tags));
        Ok(call)
    }

    /// The tags of a host's resources.
    fn launch_tags(&self, host: HostName, launch: &Launch) -> Result<Tags> {
        let mut tags = self.wanted()?.host_tags(host);
        tags.insert(tag::VERSION.into(), launch.version.clone());
        Ok(tags)
    }

    /// The client token of one launch. It depends on the client key, so that a project that is created again gets new
    /// tokens.
    fn token(&self, host: HostName, launch: &Launch) -> Result<String> {
        let key = self.folder.public_key()?;
        let key = key.ok_or_else(|| {
            Error::failed("the project's key is missing on this computer").remedy("run `monctl up` again")
        })?;
        Ok(Sha256::of_fields([
            self.api.account.as_str(),
            &self.api.region,
            self.project.as_str(),
            &host.to_string(),
            &key,
            &launch.attempt.to_string(),
            &launch.instance_type,
            &launch.subnet,
            &launch.image,
        ])
        .to_string())
    }

    /// The instance that a launch created, and whether it still exists.
    async fn launched(&self, host: HostName, launch: &Launch) -> Result<Option<(String, bool)>> {
        let found = self.instances(filter("client-token", [self.token(host, launch)?])).await?;
        Ok(found.into_iter().next().map(|it| (it.id, it.state.is_alive())))
    }
}

fn begin(attempt: u32, candidate: &Candidate, creation: &Creation, group: &str) -> Launch {
    Launch {
        attempt,
        under_way: true,
        instance_type: candidate.instance_type.clone(),
        image: candidate.image.id.clone(),
        root_device: candidate.image.root_device.clone(),
        subnet: candidate.subnet.clone(),
        zone: candidate.zone.clone(),
        group: group.to_owned(),
        disk: creation.disk,
        profile: creation.profile.clone(),
        protection: creation.protection,
        public: candidate.public,
        credits: candidate.credits,
        kms_key: creation.kms_key.clone(),
        version: VERSION.into(),
    }
}

/// The candidate after the one that was tried; the first if the spec no longer names the tried one.
fn next<'a>(candidates: &'a [Candidate], tried: &Launch) -> Option<&'a Candidate> {
    let is_it = |it: &Candidate| it.instance_type == tried.instance_type && it.subnet == tried.subnet;
    candidates.iter().position(is_it).map_or(candidates.first(), |at| candidates.get(at + 1))
}

/// Whether EC2 refused the call: then nothing was launched. Without such an answer, something may have been launched.
fn is_refusal(failed: &Failure) -> bool {
    let status = failed.raw_response().map(|response| response.status().as_u16());
    code(failed).is_some() && status.is_some_and(|status| (400..500).contains(&status))
}

/// The network interface, with subnet, group and public address.
fn interface(launch: &Launch) -> InstanceNetworkInterfaceSpecification {
    InstanceNetworkInterfaceSpecification::builder()
        .device_index(0)
        .subnet_id(&launch.subnet)
        .groups(&launch.group)
        // If no public address is needed, the subnet's own setting applies.
        .set_associate_public_ip_address(launch.public.then_some(true))
        .delete_on_termination(true)
        .build()
}

fn nowhere(host: HostName) -> Error {
    Error::could_not_run("EC2 offers no zone for it").at(host.to_string()).remedy("run `monctl up` again")
}

/// User data for cloud-init at the first boot: the host key, so that it is known before the first connection.
fn user_data(private: &str, public: &str) -> String {
    let private: Vec<String> = private.lines().map(|line| format!("    {line}")).collect();
    include_str!("user-data.yaml").replace("@PRIVATE@", &private.join("\n")).replace("@PUBLIC@", public)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::aws::Image;

    fn candidate(instance_type: &str, subnet: &str) -> Candidate {
        let image =
            Image { id: "ami-1".into(), name: "debian".into(), root_device: "/dev/xvda".into(), size: 8 };
        let (instance_type, subnet) = (instance_type.into(), subnet.into());
        Candidate { instance_type, image, subnet, zone: "a".into(), public: true, credits: None }
    }

    #[test]
    fn without_capacity_the_next_zone_is_tried_and_then_the_next_type() {
        let list = [candidate("t3.small", "s1"), candidate("t3.small", "s2"), candidate("t3.micro", "s1")];
        let creation = Creation {
            host: HostName::MONITORING,
            why: String::new(),
            replaces: None,
            candidates: list.to_vec(),
            disk: 20,
            profile: None,
            protection: false,
            kms_key: None,
            left_out: Vec::new(),
        };
        let mut tried = vec![begin(1, &list[0], &creation, "sg-1")];
        while let Some(candidate) = next(&list, &tried[tried.len() - 1]) {
            tried.push(begin(1, candidate, &creation, "sg-1"));
        }
        let tried: Vec<_> = tried.iter().map(|it| (it.instance_type.as_str(), it.subnet.as_str())).collect();
        assert_eq!(tried, [("t3.small", "s1"), ("t3.small", "s2"), ("t3.micro", "s1")]);
    }

    #[test]
    fn user_data_passes_the_host_key_to_cloud_init() {
        let text = user_data("-----BEGIN-----\nAAAA\n-----END-----\n", "BBBB");
        let read: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert!(text.starts_with("#cloud-config\n"));
        assert_eq!(read["ssh_keys"]["ed25519_private"], "-----BEGIN-----\nAAAA\n-----END-----\n");
        assert_eq!(read["ssh_keys"]["ed25519_public"], "ssh-ed25519 BBBB");
        assert_eq!(read["ssh_deletekeys"], true);
    }
}
