//! Releases: the catalogue of monctl pins whole and supported ones, and the mirror of the tests serves what its own
//! catalogue promises, in the shape of a real release.

#![allow(clippy::unwrap_used, reason = "a helper's failure is the test's failure")]

#[path = "releases/catalogue.rs"]
mod catalogue;
#[path = "support/release_mirror.rs"]
mod release_mirror;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use flate2::read::GzDecoder;
use monctl::http::{Client, Endpoint};
use release_mirror::ReleaseMirror;
use release_mirror::grafana_release::{Release, run_again_with_a_release};
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

#[test]
fn a_release_that_is_named_is_served_in_the_stand_ins_place() {
    let Some(release) = Release::named() else {
        return run_again_with_a_release("a_release_that_is_named_is_served_in_the_stand_ins_place");
    };
    let mirror = ReleaseMirror::with_grafana(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let catalogue: Value = serde_json::from_slice(&std::fs::read(mirror.catalogue()).unwrap()).unwrap();
    let version = release.version();
    assert_eq!(catalogue["defaults"]["grafana"], version);
    let digests = catalogue["grafana"][&version]["sha256"].as_object().unwrap();
    assert_eq!(digests.values().collect::<Vec<_>>(), [&release.sha256.to_string()]);
}

#[test]
fn the_release_has_one_top_folder_and_its_programs_can_be_run() {
    let mirror = ReleaseMirror::with_grafana(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let folder = mirror.catalogue().parent().unwrap().to_owned();
    let tarball = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_grafana = |path: &std::path::PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("grafana-"))
    };
    let tarball = tarball.into_iter().find(is_grafana).unwrap();
    let mut archive = tar::Archive::new(GzDecoder::new(std::fs::File::open(tarball).unwrap()));
    let entries: Vec<(String, u32)> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap())
        })
        .collect();
    let (top, _) = entries[0].0.split_once('/').unwrap();
    assert!(entries.iter().all(|(path, _)| path.starts_with(&format!("{top}/"))), "{entries:?}");
    for program in ["grafana", "grafana-server"] {
        let found = entries.iter().find(|(path, _)| *path == format!("{top}/bin/{program}"));
        assert!(found.is_some_and(|(_, mode)| mode & 0o111 == 0o111), "{entries:?}");
    }
    assert!(entries.iter().any(|(path, _)| path.ends_with("conf/defaults.ini")), "{entries:?}");
}
