//! Third-party emulators of EC2, unmodified: moto, and ministack for a second opinion. Their state is read by EC2's own
//! API. `gaps.rs` lists their differences from EC2.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::types::{Filter, Image, InstanceStateName, Tag, VolumeState};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::between::{Answer, Between, Own};
use crate::support::ec2_double::{Caller, Ec2};

/// Kind of emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Moto,
    Ministack,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Moto => "moto",
            Self::Ministack => "ministack",
        }
    }

    /// Path of the request that resets all state.
    const fn reset(self) -> &'static str {
        match self {
            Self::Moto => "/moto-api/reset",
            Self::Ministack => "/_ministack/reset",
        }
    }

    /// Calls that monctl needs and the emulator does not implement, with the relay's answers.
    pub const fn answers(self) -> &'static [Answer] {
        match self {
            Self::Moto => &[],
            Self::Ministack => &[
                // Only the type and the zone that the tests launch in.
                (
                    "DescribeInstanceTypeOfferings",
                    Own::Answer(
                        "<instanceTypeOfferingSet><item><instanceType>t3.small</instanceType>\
                         <locationType>availability-zone</locationType><location>eu-central-1a</location></item>\
                         </instanceTypeOfferingSet>",
                    ),
                ),
                ("DescribeKeyPairs", Own::PublicKey),
                ("ModifyInstanceAttribute", Own::Answer("<return>true</return>")),
                ("ModifyInstanceMetadataOptions", Own::Answer("<return>true</return>")),
            ],
        }
    }
}

/// An emulator that runs until it is dropped.
pub struct Emulator {
    pub kind: Kind,
    process: Child,
    address: SocketAddr,
    url: String,
    between: Between,
    administrator: Caller,
    pub client: Client,
    pub runtime: Runtime,
}

/// Any key has all permissions: the emulators do not check signatures.
const KEY: &str = "AKIAADMINISTRATOR000";

impl Emulator {
    pub fn start(kind: Kind) -> Self {
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doubles/emulators");
        let mut process = Command::new(home.join("run.sh"))
            .arg(kind.name())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the emulator starts: it needs python3-venv");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().to_owned();
        let address = url.trim_start_matches("http://").parse();
        let address = address.unwrap_or_else(|_| panic!("{} printed {line:?}", kind.name()));
        let config = aws_sdk_ec2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .endpoint_url(&url)
            .credentials_provider(Credentials::new(KEY, "secret", None, None, "test"))
            .build();
        let administrator =
            Caller { access_key: KEY.into(), secret_key: "secret".into(), session_token: None };
        let emulator = Self {
            kind,
            process,
            address,
            url,
            between: Between::start(address, kind.answers()),
            administrator,
            client: Client::from_conf(config),
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
        };
        emulator.reset();
        emulator
    }

    /// Resets to an empty account, whose default VPC then has a route to the internet.
    pub fn reset(&self) {
        self.forget_all();
        self.between.forget();
        self.between.ignore_filters(false);
        self.runtime.block_on(self.lead_out());
    }

    /// Answers monctl's calls from now on with everything that exists, ignoring their filters.
    pub fn ignore_filters(&self) {
        self.between.ignore_filters(true);
    }

    /// Resets to an empty account.
    pub fn forget_all(&self) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let path = self.kind.reset();
        let address = self.address;
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }

    /// Adds the route to the internet to the default VPC, as AWS' own has one.
    async fn lead_out(&self) {
        let vpcs = self.client.describe_vpcs().send().await.unwrap();
        let vpc = vpcs.vpcs().iter().find(|vpc| vpc.is_default() == Some(true)).unwrap().vpc_id().unwrap();
        let gateways = self.client.describe_internet_gateways().send().await.unwrap();
        let is_attached = |it: &&aws_sdk_ec2::types::InternetGateway| {
            it.attachments().iter().any(|attachment| attachment.vpc_id() == Some(vpc))
        };
        let gateway = if let Some(there) = gateways.internet_gateways().iter().find(is_attached) {
            there.internet_gateway_id().unwrap().to_owned()
        } else {
            let made = self.client.create_internet_gateway().send().await.unwrap();
            let id = made.internet_gateway().unwrap().internet_gateway_id().unwrap().to_owned();
            let call = self.client.attach_internet_gateway().internet_gateway_id(&id).vpc_id(vpc);
            call.send().await.unwrap();
            id
        };
        let filter = Filter::builder().name("vpc-id").values(vpc).build();
        let tables = self.client.describe_route_tables().filters(filter).send().await.unwrap();
        let table = tables.route_tables()[0].route_table_id().unwrap();
        let call = self.client.create_route().route_table_id(table).destination_cidr_block("0.0.0.0/0");
        call.gateway_id(gateway).send().await.unwrap();
    }

    /// An image for the type that the tests launch. The emulators have no images of Debian.
    pub fn image(&self) -> Image {
        let found = self.client.describe_images().owners("099720109477").send();
        let found = self.runtime.block_on(found).unwrap();
        let fits = |it: &&Image| it.name().is_some_and(|name| name.contains("amd64"));
        found.images().iter().find(fits).unwrap().clone()
    }

    async fn look(&self) -> Value {
        let ec2 = &self.client;
        let (instances, volumes, addresses, interfaces, groups, keys) = tokio::join!(
            ec2.describe_instances().send(),
            ec2.describe_volumes().send(),
            ec2.describe_addresses().send(),
            ec2.describe_network_interfaces().send(),
            ec2.describe_security_groups().send(),
            ec2.describe_key_pairs().send(),
        );
        let instances = instances.unwrap();
        let instances = instances.reservations().iter().flat_map(aws_sdk_ec2::types::Reservation::instances);
        let is_there = |it: &&aws_sdk_ec2::types::Instance| {
            it.state().unwrap().name() != Some(&InstanceStateName::Terminated)
        };
        let is_own = |it: &&aws_sdk_ec2::types::SecurityGroup| it.group_name() != Some("default");
        let is_kept = |it: &&aws_sdk_ec2::types::Volume| it.state() != Some(&VolumeState::Deleted);
        json!({
            "instances": list(instances.filter(is_there).map(|it| (it.instance_id(), it.tags()))),
            "volumes": list(volumes.unwrap().volumes().iter().filter(is_kept).map(|it| (it.volume_id(), it.tags()))),
            "addresses": list(addresses.unwrap().addresses().iter().map(|it| (it.allocation_id(), it.tags()))),
            "interfaces": list(
                interfaces.unwrap().network_interfaces().iter().map(|it| (it.network_interface_id(), it.tag_set()))
            ),
            "groups": list(groups.unwrap().security_groups().iter().filter(is_own).map(|it| (it.group_id(), it.tags()))),
            "keys": list(keys.unwrap().key_pairs().iter().map(|it| (it.key_pair_id(), it.tags()))),
        })
    }
}

fn list<'a>(pieces: impl Iterator<Item = (Option<&'a str>, &'a [Tag])>) -> Vec<Value> {
    let tags = |tags: &[Tag]| {
        let pair = |tag: &Tag| (tag.key().unwrap().to_owned(), json!(tag.value().unwrap_or("")));
        Value::Object(tags.iter().map(pair).collect())
    };
    pieces.map(|(id, all)| json!({"id": id.unwrap(), "tags": tags(all)})).collect()
}

impl Ec2 for Emulator {
    fn endpoint(&self) -> &str {
        &self.between.url
    }

    fn direct(&self) -> &str {
        &self.url
    }

    fn administrator(&self) -> &Caller {
        &self.administrator
    }

    fn settings(&self) -> Vec<String> {
        vec![format!("image: {}", self.image().image_id().unwrap()), "user: ubuntu".into()]
    }

    fn inventory(&self) -> Value {
        let mut inventory = self.runtime.block_on(self.look());
        inventory.as_object_mut().unwrap().retain(|kind, _| !self.unseen().contains(&kind.as_str()));
        inventory
    }

    fn untagged(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Moto => &["interfaces"],
            Kind::Ministack => &["keys"],
        }
    }

    fn unseen(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Moto => &[],
            Kind::Ministack => &["interfaces", "volumes"],
        }
    }

    fn hold(&self, action: &str, nth: usize, done: bool) {
        self.between.hold(action, nth, done);
    }

    fn is_held(&self, within: Duration) -> bool {
        self.between.is_held(within)
    }

    fn clear_faults(&self) {
        self.between.give_up();
    }

    fn actions(&self) -> Vec<String> {
        self.between.actions()
    }

    fn forget_calls(&self) {
        self.between.forget();
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It ends with its standard input.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
