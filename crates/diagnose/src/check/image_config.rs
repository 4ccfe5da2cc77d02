//! The image's own program, as `/etc/nex/image.json` has it: whether the agent would start it.

use nex_contract::{IMAGE_FILE, ImageConfig, Pid1};
use nex_fault::{Remedy, Setting};
use nex_inspect::View;
use nex_program::Processor;

use super::Findings;
use crate::finding::remedy_of;
use crate::rules;
use crate::workload::{ImageRoot, Obstacle};

/// Reports on the image's program, if it has one, and says who is process 1. `kernel` is the kernel's machine, or what the image's
/// other programs are for.
pub(super) fn check(view: &dyn View, kernel: Option<Processor>, findings: &mut Findings) -> Pid1 {
    let root = ImageRoot::new(view);
    let config = match ImageConfig::of(&root) {
        Ok(None) => return Pid1::default(),
        Ok(Some(config)) => config,
        Err(error) => {
            let evidence = format!("{IMAGE_FILE}: {}", nex_text::excerpt(error));
            findings.report(&rules::IMAGE_CONFIG, evidence, "make the root filesystem again with nex rootfs");
            return Pid1::default();
        }
    };
    let has_name = |variable: &str| variable.split_once('=').is_some_and(|(name, _)| !name.is_empty());
    if let Some(variable) = config.env.iter().find(|variable| !has_name(variable)) {
        let evidence = format!("{IMAGE_FILE} has '{}' among the variables", nex_text::short_name(variable));
        findings.report(&rules::IMAGE_ENV, evidence, "write it as NAME=value");
    }
    let workload = config.workload(Vec::new());
    if workload.program.is_empty() {
        return workload.pid1;
    }
    for obstacle in root.obstacles(&workload, kernel) {
        let (rule, remedy) = match obstacle {
            Obstacle::StopSignal(_) => {
                let form = "name a signal as SIGTERM, or by its number; real-time ones are not known";
                (&rules::IMAGE_STOP_SIGNAL, form.into())
            }
            Obstacle::User(_) => {
                let another = Remedy::say("add it to the image, name another (nex run").choose(Setting::User);
                (&rules::IMAGE_USER, another.and("), or give a number"))
            }
            Obstacle::Directory(_) => {
                let another = Remedy::say("make it in the image, or name another (nex run").choose(Setting::Workdir);
                (&rules::IMAGE_WORKDIR, another.and(")"))
            }
            Obstacle::ProcessOne(ref why) => {
                (&rules::IMAGE_PROCESS_ONE, remedy_of(why, "or run another program in it: nex run BINARY"))
            }
            Obstacle::Program(_) => {
                let another = "put it into the image, or name another: nex run BINARY, or nex run -- COMMAND";
                (&rules::IMAGE_PROGRAM, another.into())
            }
        };
        findings.report(rule, format!("{IMAGE_FILE}: {}", obstacle.unstarted()), remedy);
    }
    workload.pid1
}
