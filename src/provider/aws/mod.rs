//! Instances of EC2. Everything is found by tags and names; `plan/aws` determines the due actions, and the files here
//! carry them out: `network` (key and groups), `launch`, `change`, `address`, `remove`. `error` explains failed calls.

mod address;
mod api;
mod availability;
mod change;
mod credentials;
mod environment;
mod error;
mod folder;
mod images;
mod launch;
mod network;
mod observe;
mod places;
mod remove;
mod retype;
mod tags;
mod types;
mod wait;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use futures_util::future::{LocalBoxFuture, join_all};

use self::api::Api;
use self::folder::{Alarm, ProjectFolder, SshAccess};
use super::interface::{Provider, Work};
use super::lock::ProjectLock;
use super::observed::{MachineState, Observed, ObservedMachine};
use super::piece::Piece;
use super::progress::ProviderTask;
use crate::digest::Sha256;
use crate::error::{Error, Exit, Result};
use crate::event::Events;
use crate::host::{HostName, Machine, ProjectName, Role};
use crate::plan::InfraAction;
use crate::plan::aws::{Action, Cloud, Instance, LaunchOptions, ROLES, Tags, WantedCloud, actions, tag};
use crate::remote;
use crate::spec;

/// The provider of one project in one account and region.
#[derive(Debug)]
pub struct AwsProvider {
    api: Api,
    project: ProjectName,
    settings: spec::AwsSettings,
    /// `None` if only the project's name is known.
    spec: Option<spec::Spec>,
    folder: ProjectFolder,
    events: Events,
}

impl AwsProvider {
    /// Connects and queries the caller's identity. Changes nothing.
    pub(super) async fn connect(
        project: ProjectName,
        settings: spec::AwsSettings,
        spec: Option<spec::Spec>,
        events: Events,
    ) -> Result<Self> {
        let api = Api::connect(&settings).await?;
        let folder = ProjectFolder::new(&api.account, &api.region, project.clone())?;
        Ok(Self { api, project, settings, spec, folder, events })
    }

    fn user(&self) -> &str {
        self.settings.user.as_str()
    }

    fn key_name(&self) -> String {
        format!("monctl-{}", self.project)
    }

    fn group_name(&self, role: Role) -> String {
        format!("monctl-{}-{role}", self.project)
    }

    fn group_description(&self) -> String {
        format!("monctl project {}", self.project)
    }

    fn begin(&self, what: impl Into<String>) -> ProviderTask<'_> {
        ProviderTask::begin(&self.events, what)
    }

    fn folder_is_lost(&self) -> Error {
        let path = self.folder.path().display().to_string();
        Error::could_not_run(format!(
            "project `{}` has machines, but their ssh key is not on this computer: there is no `{path}`",
            self.project
        ))
        .remedy(
            "copy that folder from the computer that ran `monctl up`; if it is lost, create the machines again with \
             `monctl down` and `monctl up`",
        )
    }

    /// The due actions. Queries EC2's offers only if something must be created.
    async fn due(&self, observed: &Observed) -> Result<Vec<Action>> {
        let (Some(cloud), Some(spec)) = (&observed.aws, &self.spec) else { return Ok(Vec::new()) };
        let caller = if self.settings.allow_ssh_from.is_empty() {
            let page = self.settings.address_from.as_ref().map(spec::BaseUrl::as_str);
            Some(crate::http::public_ip::of_caller(page).await?.into())
        } else {
            None
        };
        let wanted = WantedCloud::new(spec, &self.settings, caller, self.folder.public_key()?);
        self.check_key(&wanted, cloud)?;
        let draft = actions(&wanted, cloud, &LaunchOptions::default());
        self.check_retypes(&draft, cloud).await?;
        let makes = |action: &Action| matches!(action, Action::CreateGroup { .. } | Action::Create(_));
        if !draft.iter().any(makes) {
            return Ok(draft);
        }
        Ok(actions(&wanted, cloud, &self.launch_options(&wanted, cloud, &draft).await?))
    }

    /// Checks that EC2's key pair is this computer's: no other key gives access to the machines.
    fn check_key(&self, wanted: &WantedCloud, cloud: &Cloud) -> Result<()> {
        match &cloud.key {
            Some(key) if Some(&key.public_key) != wanted.public_key.as_ref() => Err(self.foreign_key()),
            _ => Ok(()),
        }
    }

    fn foreign_key(&self) -> Error {
        let path = self.folder.path().display().to_string();
        Error::could_not_run(format!(
            "the key pair `{}` in EC2 is not the one of this computer (`{path}`)",
            self.key_name()
        ))
        .remedy(
            "the project was created on another computer: copy that folder from there, or remove the project with \
             `monctl down` first",
        )
    }

    /// Carries out first what others depend on, then the rest concurrently. Failures do not stop independent actions.
    async fn carry_out(&self, actions: &[Action]) -> Result<()> {
        let needs_network = actions.iter().any(|it| {
            matches!(
                it,
                Action::ImportKey | Action::CreateGroup { .. } | Action::Open { .. } | Action::Close { .. }
            )
        });
        if needs_network {
            self.build_network(actions).await?;
        }
        let done = join_all(actions.iter().map(|action| self.change_in_place(action))).await;
        let mut errors: Vec<Error> = done.into_iter().filter_map(Result::err).collect();
        let (removed, moved) = tokio::join!(self.remove_surplus(actions), self.move_machines(actions));
        errors.extend(removed.err().into_iter().chain(moved.err()));
        errors.extend(self.settle_addresses(actions).await.err());
        Error::all(errors).map_or(Ok(()), Err)
    }

    /// How ssh connects to each machine: at its public address, or at the private one if machines are reached that way.
    async fn ways(&self, cloud: &Cloud) -> Result<BTreeMap<HostName, SshAccess>> {
        let mut ways = BTreeMap::new();
        for host in cloud.hosts() {
            let Some(instance) = cloud.instance(host) else { continue };
            let public = instance.public.filter(|_| !self.reach().private || instance.private.is_none());
            let Some(address) = public.or(instance.private) else { continue };
            let command = match self.folder.users_ssh_config().filter(|_| public.is_none()) {
                Some(config) => remote::route(&config, &address.to_string()).await?.proxy_command,
                None => None,
            };
            ways.insert(host, SshAccess { address, command });
        }
        Ok(ways)
    }

    /// Warns of a changed tag: without the pins, a caller who may write tags could make monctl trust another machine.
    fn raise(&self, alarm: &Alarm) {
        let print = |key: &str| fingerprint(key).unwrap_or_else(|| format!("`{key}`"));
        let pinned: Vec<String> = alarm.pinned.iter().map(|key| print(key)).collect();
        self.events.warn(format!(
            "{}: its tag `{}` names the host key {}, but this computer has pinned {} and accepts only that one. \
             Compare with the machine's own key (`monctl ssh`, then \
             `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`, or EC2's serial console). If it matches the tag, \
             another computer replaced the key: remove the host's line from `{}`. If not, someone changed the tag: \
             search CloudTrail for CreateTags",
            alarm.machine,
            tag::HOST_KEY,
            print(&alarm.tagged),
            pinned.join(", "),
            self.folder.pins_path().display(),
        ));
    }

    /// The folder of the project, if it exists.
    fn local_folder(&self) -> Option<PathBuf> {
        self.folder.path().exists().then(|| self.folder.path().to_owned())
    }
}

impl Provider for AwsProvider {
    fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn lock(&self) -> Result<ProjectLock> {
        ProjectLock::acquire_in(&self.folder.region(), &self.project)
    }

    fn place(&self) -> Vec<String> {
        let Api { account, region, caller, .. } = &self.api;
        vec![format!("account {account}, region {region}, as {caller}")]
    }

    fn calls(&self) -> Option<usize> {
        Some(self.api.calls())
    }

    /// Longer than the default: hardware that starts slowly, and cloud-init at the first boot.
    fn boots_within(&self) -> Duration {
        Duration::from_mins(4)
    }

    fn observe(&self) -> Work<'_, Observed> {
        Box::pin(async {
            let mut cloud = self.look().await?;
            self.folder.add_local_knowledge(&mut cloud)?;
            self.look_closer(&mut cloud).await?;
            let mut machines = BTreeMap::new();
            if !cloud.hosts().is_empty() {
                if self.folder.public_key()?.is_none() {
                    return Err(self.folder_is_lost());
                }
                let alarms = self.folder.write_access(&cloud, &self.ways(&cloud).await?, self.user())?;
                for alarm in &alarms {
                    self.raise(alarm);
                }
            }
            for host in cloud.hosts() {
                let Some((instance, address)) = cloud.instance(host).and_then(|it| Some((it, it.private?)))
                else {
                    continue;
                };
                let state = if instance.state.runs() { MachineState::Running } else { MachineState::Stopped };
                let machine =
                    Machine { public: instance.public, ..self.folder.machine(host, address, self.user()) };
                machines.insert(host, ObservedMachine { state, machine });
            }
            let network = cloud.key.is_some() && cloud.groups.len() == ROLES.len();
            Ok(Observed { network, machines, aws: Some(cloud) })
        })
    }

    /// Queries EC2's offers only if something must be created.
    fn plan<'a>(&'a self, _: Vec<HostName>, observed: &'a Observed) -> Work<'a, Vec<InfraAction>> {
        Box::pin(async { Ok(self.due(observed).await?.into_iter().map(InfraAction::Aws).collect()) })
    }

    /// Every failure exits with [`Exit::Failed`]: something may have been changed.
    fn apply<'a>(&'a self, actions: &'a [InfraAction]) -> Work<'a, ()> {
        Box::pin(async {
            let actions: Vec<Action> = actions.iter().filter_map(InfraAction::of_aws).cloned().collect();
            self.carry_out(&actions).await.map_err(|error| error.with_exit(Exit::Failed))
        })
    }

    fn initial_host_key(&self, host: HostName) -> Result<Option<String>> {
        self.folder.initial_host_key(host)
    }

    /// Pins them on this computer, and in the machines' tags for other computers.
    fn pin_host_keys<'a>(&'a self, keys: &'a BTreeMap<HostName, Vec<String>>) -> Work<'a, ()> {
        Box::pin(async move {
            let cloud = self.look().await?;
            let mut work = Vec::new();
            for (host, keys) in keys {
                let id = cloud.instance(*host).map(|it| it.id.clone()).ok_or_else(|| {
                    Error::failed("its instance is gone").at(host.to_string()).remedy("run `monctl up` again")
                })?;
                let tags: Tags = [(tag::HOST_KEY.to_owned(), keys.join(" "))].into();
                work.push((id, tags));
            }
            // In this order, no tag ever names a key that is not pinned here, even if the run is interrupted.
            self.folder.pin_also(keys)?;
            let tagged = join_all(work.iter().map(|(id, tags)| self.tag(id, tags))).await;
            tagged.into_iter().collect::<Result<()>>()?;
            self.folder.pin(keys)
        })
    }

    fn forget_initial_host_key(&self, host: HostName) -> Work<'_, ()> {
        Box::pin(self.folder.forget_host_key(host))
    }

    fn note_growth<'a>(&'a self, action: &'a InfraAction) -> Work<'a, ()> {
        Box::pin(async {
            match action {
                InfraAction::Aws(Action::GrowFileSystem { id, to, .. }) => {
                    self.tag(id, &[(tag::GROWN.to_owned(), to.to_string())].into()).await
                }
                _ => Ok(()),
            }
        })
    }

    /// `None` on any failure: the console only supplements another error.
    fn console(&self, host: HostName) -> LocalBoxFuture<'_, Option<String>> {
        Box::pin(async move {
            let cloud = self.look().await.ok()?;
            self.console_of(&cloud.instance(host)?.id).await
        })
    }

    /// Machines of the account that carry the tag of another project.
    fn others(&self) -> Work<'_, Vec<(String, String)>> {
        Box::pin(async {
            let found = self.instances(tags::filter("tag-key", [tag::PROJECT])).await?;
            let word = |it: &Instance, key: &str| it.tags.get(key).map_or("?", String::as_str).to_owned();
            let others = found.iter().filter(|it| it.state.is_alive()).map(|it| {
                let what =
                    format!("machine {} (instance {}, {})", word(it, tag::HOST), it.id, it.instance_type);
                (word(it, tag::PROJECT), what)
            });
            let mut others: Vec<_> =
                others.filter(|(project, _)| *project != self.project.as_str()).collect();
            others.sort();
            Ok(others)
        })
    }

    fn destroy(&self) -> Work<'_, Vec<Piece>> {
        Box::pin(self.remove_all())
    }

    fn leftovers(&self) -> Work<'_, Vec<Piece>> {
        Box::pin(self.pieces())
    }
}

/// The fingerprint of a key in the format of `ssh-keygen -lf`; `None` if it is not a key.
fn fingerprint(key: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(key).ok()?;
    Some(format!("SHA256:{}", Sha256::of(bytes).base64()))
}
