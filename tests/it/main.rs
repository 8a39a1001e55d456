//! Tests that need no machine and no EC2: what monctl reads, renders and prints, and its communication with a real
//! Prometheus, a real Alertmanager, and stand-ins for Slack and Grafana.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod architecture;
mod catalogue;
mod check;
mod cli;
mod dashboards;
mod delivery;
mod dependencies;
mod dialogue;
mod existing_grafana;
mod failures;
mod grafana;
mod grafana_releases;
mod init;
mod integrations;
mod language;
mod own_dashboards;
mod own_rules;
mod own_targets;
mod panels;
mod public_dashboards;
mod real_inputs;
mod releases;
mod render;
mod slack_delivery;
mod slack_receiver;
mod spec;
#[path = "../support/mod.rs"]
mod support;
mod verify;
mod verify_dashboards;
mod verify_receivers;
