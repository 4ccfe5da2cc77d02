//! A guest that somebody else starts: what its VMM is given, and the files that go with that.

use std::path::{Path, PathBuf};

use nex_fault::Note;
use nex_vmm::{Access, LoadableKernel, Machine, VmConfig};

use crate::agent_words::with_words;
use crate::choice::{Choice, VmmKind, VmmOptions};
use crate::error::Error;
use crate::setup::{Setup, check_length};

/// What the files beside a configuration are called.
const INITRAMFS: &str = "initramfs.cpio";
/// What the configuration itself is called.
const CONFIG: &str = "vm_config.json";

/// A guest in the words of its VMM.
#[derive(Debug)]
pub struct Description {
    /// What the VMM is given.
    pub text: String,
    /// What that is.
    pub form: DescriptionForm,
    /// The files that go with it and that were asked for, by their names in the directory. The configuration is the last.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// What the guest lacks, or its starter should know.
    pub warnings: Vec<Warning>,
}

/// What a guest is described by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DescriptionForm {
    /// A configuration's file, in JSON.
    Configuration,
    /// A command line for a shell.
    CommandLine,
}

/// What the one who starts the guest should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The guest does not come to its root.
    Kernel(Note),
    /// Firecracker needs the kernel unpacked, and its file is not.
    PackedKernel(PathBuf),
    /// The kernel has these drivers in modules, and there is no file with the initramfs that loads them.
    NoInitramfs(Vec<String>),
    /// The guest writes to this root filesystem itself.
    Written(PathBuf),
    /// nex would give Firecracker a copy of this root filesystem, for the guest to write to.
    Copied(PathBuf),
    /// This name is there as long as nex is: nex makes the file for each guest.
    Unnamed(PathBuf),
}

/// Whether a guest gets files of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside<'a> {
    /// In this directory.
    Directory(&'a Path),
    /// There are no more than the user has.
    Nothing,
}

impl Setup {
    /// The guest for a Firecracker that somebody else starts, and that is on this machine or on another: with no vsock, for which
    /// nobody would listen, and no channel.
    ///
    /// # Errors
    /// When Firecracker does not take such a guest.
    pub fn for_firecracker(&self, beside: Beside<'_>) -> Result<Description, Error> {
        let mut machine = self.whole_machine();
        for drive in &mut machine.drives {
            // Firecracker has no snapshots: what the guest may write to is the file.
            if drive.access == Access::CopyOnWrite {
                drive.access = Access::Write;
            }
        }
        check_length(&VmConfig::command_line(&machine))?;
        let (mut files, mut warnings) = (Vec::new(), self.warnings());
        let loadable = LoadableKernel::of(&machine)?;
        let kernel = match (beside, loadable) {
            (Beside::Directory(directory), loadable) => {
                let name = loadable.file_name(machine.architecture);
                files.push((name, loadable.into_bytes(&machine)?));
                directory.join(name)
            }
            (Beside::Nothing, LoadableKernel::AsItIs) => machine.kernel.clone(),
            (Beside::Nothing, LoadableKernel::Unpacked(_)) => {
                warnings.push(Warning::PackedKernel(machine.kernel.clone()));
                machine.kernel.clone()
            }
        };
        let initramfs = self.initramfs(beside, &mut files, &mut warnings)?;
        let first = machine.drives.first().filter(|drive| drive.access == Access::Write);
        warnings.extend(first.map(|drive| Warning::Written(drive.disk.path().into())));
        let text = VmConfig::of_files(&machine, &kernel, initramfs.as_deref(), None)?.to_json();
        if matches!(beside, Beside::Directory(_)) {
            files.push((CONFIG, text.clone().into_bytes()));
        }
        Ok(Description { text, form: DescriptionForm::Configuration, files, warnings })
    }

    /// The guest for a QEMU that somebody else starts: the one of this machine, by KVM where that works or as was asked for. It has no
    /// channel, for nobody would be at the host's end.
    ///
    /// # Errors
    /// When there is no QEMU, or it does not take such a guest.
    pub fn for_qemu(&self, vmm: &VmmOptions, beside: Beside<'_>) -> Result<Description, Error> {
        let choice = Choice::make(vmm, &self.kernel)?;
        let mut machine = Machine { channel: None, ..self.whole_machine() };
        check_length(&choice.vmm.command_line(&machine))?;
        let (mut files, mut warnings) = (Vec::new(), self.warnings());
        machine.initramfs = self.initramfs(beside, &mut files, &mut warnings)?;
        Ok(Description { text: choice.vmm.describe(&machine)?, form: DescriptionForm::CommandLine, files, warnings })
    }

    /// What this guest would be started with here, in the words of the VMM that would be chosen.
    ///
    /// # Errors
    /// When nobody can run it.
    pub fn describe(&self, vmm: &VmmOptions) -> Result<Description, Error> {
        let choice = Choice::make(vmm, &self.kernel)?;
        let machine = with_words(&*choice.vmm, &self.whole_machine());
        check_length(&choice.vmm.command_line(&machine))?;
        let files = machine.drives.iter().map(|drive| drive.disk.path()).chain(machine.initramfs.as_deref());
        let unnamed = files.filter(|path| path.starts_with("/proc")).map(|path| Warning::Unnamed(path.into()));
        let mut warnings: Vec<_> = self.warnings().into_iter().chain(unnamed).collect();
        if choice.kind == VmmKind::Firecracker {
            let copied = machine.drives.iter().filter(|drive| drive.access == Access::CopyOnWrite);
            warnings.extend(copied.map(|drive| Warning::Copied(drive.disk.path().into())));
            if let LoadableKernel::Unpacked(_) = LoadableKernel::of(&machine)? {
                warnings.push(Warning::PackedKernel(machine.kernel.clone()));
            }
        }
        let form = match choice.kind {
            VmmKind::Firecracker => DescriptionForm::Configuration,
            VmmKind::Qemu | VmmKind::Auto => DescriptionForm::CommandLine,
        };
        Ok(Description { text: choice.vmm.describe(&machine)?, form, files: Vec::new(), warnings })
    }

    fn warnings(&self) -> Vec<Warning> {
        self.kernel.warnings.iter().cloned().map(Warning::Kernel).collect()
    }

    /// The initramfs' file: the user's own, or one beside the others.
    fn initramfs(
        &self,
        beside: Beside<'_>,
        files: &mut Vec<(&'static str, Vec<u8>)>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<PathBuf>, Error> {
        let Some(path) = self.kernel.initramfs() else { return Ok(None) };
        if self.kernel.made_initramfs().is_none() {
            return Ok(Some(path));
        }
        match beside {
            Beside::Nothing => {
                warnings.push(Warning::NoInitramfs(self.kernel.modules.clone()));
                Ok(None)
            }
            Beside::Directory(directory) => {
                files.push((INITRAMFS, std::fs::read(path).map_err(Error::Memory)?));
                Ok(Some(directory.join(INITRAMFS)))
            }
        }
    }
}
