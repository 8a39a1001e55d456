//! The mirror of the tests serves what its catalogue promises, in the shape of a real release.

#![allow(clippy::unwrap_used, reason = "a helper's failure is the test's failure")]

#[path = "support/release_mirror.rs"]
mod release_mirror;

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use flate2::read::GzDecoder;
use monctl::http::{Client, Endpoint};
use release_mirror::ReleaseMirror;
use serde_json::Value;
use sha2::{Digest, Sha256};

#[tokio::test]
async fn the_mirror_serves_the_release_that_its_catalogue_pins() {
    let mirror = ReleaseMirror::with_grafana(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let catalogue: Value = serde_json::from_slice(&std::fs::read(mirror.catalogue()).unwrap()).unwrap();
    let version = catalogue["defaults"]["grafana"].as_str().unwrap();
    let entry = &catalogue["grafana"][version];
    let url = entry["url"].as_str().unwrap().replace("{arch}", "amd64");
    let name = url.strip_prefix(&mirror.base).unwrap();

    let address: SocketAddr = mirror.base.strip_prefix("http://").unwrap().parse().unwrap();
    let client = Client::new("mirror", &Endpoint::Tcp(address)).unwrap();
    // By its name, and below upstream's whole path.
    for path in [name.to_owned(), format!("/grafana/release/{version}{name}")] {
        let served = client.get(&path).await.unwrap();
        assert_eq!(served.status, 200, "{path}");
        assert_eq!(format!("{:x}", Sha256::digest(&served.body)), entry["sha256"]["amd64"], "{path}");
    }
    assert_eq!(client.get("/prometheus.tar.gz").await.unwrap().status, 404);
}

#[tokio::test]
async fn the_release_has_one_top_folder_and_its_programs_can_be_run() {
    let mirror = ReleaseMirror::with_grafana(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let folder = mirror.catalogue().parent().unwrap().to_owned();
    let tarball = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let tarball = tarball.into_iter().find(|path| path.extension().is_some_and(|end| end == "gz")).unwrap();
    let mut content = Vec::new();
    GzDecoder::new(std::fs::File::open(tarball).unwrap()).read_to_end(&mut content).unwrap();
    let mut archive = tar::Archive::new(content.as_slice());
    let entries: Vec<(String, u32)> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap())
        })
        .collect();
    assert!(entries.iter().all(|(path, _)| path.starts_with("grafana-v9.4.0/")), "{entries:?}");
    for program in ["grafana", "grafana-server"] {
        assert!(entries.contains(&(format!("grafana-v9.4.0/bin/{program}"), 0o755)), "{entries:?}");
    }
    assert!(entries.iter().any(|(path, _)| path.ends_with("conf/defaults.ini")), "{entries:?}");
}
