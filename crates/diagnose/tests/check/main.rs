//! Images that are right but for one thing, and what is said of each: made by mke2fs, broken there or by debugfs.

mod agent;
mod console;
mod file_system;
mod image_config;
mod init;
mod kernel;
mod services;
mod settings;
mod tree;

use nex_diagnose::rules;

/// Every rule is provoked by one of the tests here.
#[test]
fn every_rule_is_provoked() {
    let tests = [
        include_str!("agent.rs"),
        include_str!("console.rs"),
        include_str!("file_system.rs"),
        include_str!("image_config.rs"),
        include_str!("init.rs"),
        include_str!("kernel.rs"),
        include_str!("services.rs"),
        include_str!("settings.rs"),
    ]
    .concat();
    let unprovoked: Vec<_> =
        rules::ALL.iter().map(|rule| rule.id).filter(|id| !tests.contains(&format!("\"{id}\""))).collect();
    assert!(unprovoked.is_empty(), "{unprovoked:?}");
}
