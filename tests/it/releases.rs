//! Releases: monctl's catalogue pins complete and supported ones, and the mirror of the tests serves the release of its
//! own catalogue, with the layout of a real release.

#[path = "releases/catalogue.rs"]
mod catalogue;

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpStream};

use crate::support::grafana_release::{Release, run_again_with_a_release};
use crate::support::release_mirror::ReleaseMirror;
use flate2::read::GzDecoder;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Downloads a file of the mirror: the first line of the response, and the digest of its body (up to hundreds of MB).
fn get(mirror: &ReleaseMirror, path: &str) -> (String, String) {
    let address = mirror.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = BufReader::new(stream);
    let lines: Vec<String> =
        answer.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    let mut digest = Sha256::new();
    io::copy(&mut answer, &mut digest).unwrap();
    (lines[0].clone(), format!("{:x}", digest.finalize()))
}

#[test]
fn the_mirror_serves_the_release_that_its_catalogue_pins() {
    let mirror = ReleaseMirror::with_grafana(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let catalogue: Value = serde_json::from_slice(&std::fs::read(mirror.catalogue()).unwrap()).unwrap();
    let version = catalogue["defaults"]["grafana"].as_str().unwrap();
    let entry = &catalogue["grafana"][version];
    let url = entry["url"].as_str().unwrap().replace("{arch}", "amd64");
    let name = url.strip_prefix(&mirror.base).unwrap();

    // By its name, and below the full upstream path.
    for path in [name.to_owned(), format!("/grafana/release/{version}{name}")] {
        let (status, digest) = get(&mirror, &path);
        assert!(status.contains(" 200 "), "{path}: {status}");
        assert_eq!(digest, entry["sha256"]["amd64"].as_str().unwrap(), "{path}");
    }
    let (status, _) = get(&mirror, "/prometheus.tar.gz");
    assert!(status.contains(" 404 "), "{status}");
}

#[test]
fn a_release_that_is_named_is_served_in_the_stand_ins_place() {
    let Some(release) = Release::named() else {
        return run_again_with_a_release(
            "releases::a_release_that_is_named_is_served_in_the_stand_ins_place",
        );
    };
    let mirror = ReleaseMirror::with_grafana(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let catalogue: Value = serde_json::from_slice(&std::fs::read(mirror.catalogue()).unwrap()).unwrap();
    let version = release.version();
    assert_eq!(catalogue["defaults"]["grafana"], version);
    let digests = catalogue["grafana"][&version]["sha256"].as_object().unwrap();
    assert_eq!(digests.values().collect::<Vec<_>>(), [&release.sha256.to_string()]);
}

#[test]
fn the_release_has_one_top_folder_and_its_program_can_be_run() {
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
    let outside = entries.iter().find(|(path, _)| !path.starts_with(&format!("{top}/")));
    assert_eq!(outside, None);
    let mode =
        |file: &str| entries.iter().find(|(path, _)| *path == format!("{top}/{file}")).map(|(_, mode)| mode);
    // The program of the unit.
    assert!(mode("bin/grafana").is_some_and(|mode| mode & 0o111 == 0o111), "{:?}", mode("bin/grafana"));
    assert!(mode("conf/defaults.ini").is_some());
}
