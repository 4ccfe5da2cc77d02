//! The kernel against the image: what of its configuration the boot needs.

use nex_fault::{Note, Remedy};
use nex_kernel::Form;

use super::files::KernelFiles;
use super::{Contract, Findings, InitKind};
use crate::feature;
use crate::kernel::{Config, KernelFacts, Setting};
use crate::rules;

/// What a kernel without it gets, in most cases.
const REBUILD: &str = "build the kernel with it, or take one that has it";

/// Where systemd's README says what it needs, and what of that it does not start without.
const SYSTEMD: [&str; 12] = [
    "DEVTMPFS",
    "CGROUPS",
    "INOTIFY_USER",
    "SIGNALFD",
    "TIMERFD",
    "EPOLL",
    "UNIX",
    "SYSFS",
    "PROC_FS",
    "FHANDLE",
    "TMPFS",
    "NET",
];

/// The pseudo file systems that every init mounts.
const FILE_SYSTEMS: [&str; 3] = ["PROC_FS", "SYSFS", "TMPFS"];

/// A kernel's options, and what was asked of them.
struct Options<'a> {
    config: &'a Config,
    /// Those that the configuration does not mention, though it matters.
    unknown: Vec<&'static str>,
    /// Those that are modules, though the root needs them.
    modules: Vec<&'static str>,
}

impl Options<'_> {
    fn get(&mut self, name: &'static str) -> Setting {
        let setting = self.config.get(name);
        if setting == Setting::Unknown && !self.unknown.contains(&name) {
            self.unknown.push(name);
        }
        setting
    }

    /// Whether it is surely not there.
    fn lacks(&mut self, name: &'static str) -> bool {
        self.get(name) == Setting::No
    }

    /// Whether it is surely not there before a module is loaded.
    fn lacks_built_in(&mut self, name: &'static str) -> bool {
        matches!(self.get(name), Setting::No | Setting::Module)
    }

    /// Whether it is surely not there; a module is noted.
    fn lacks_for_root(&mut self, name: &'static str) -> bool {
        let setting = self.get(name);
        if setting == Setting::Module {
            self.modules.push(name);
        }
        setting == Setting::No
    }

    fn missing(&mut self, names: &[&'static str]) -> String {
        let missing: Vec<_> = names.iter().copied().filter(|name| self.lacks(name)).collect();
        missing.iter().map(|name| format!("CONFIG_{name}")).collect::<Vec<_>>().join(", ")
    }
}

/// Reports what of the kernel does not fit the image.
pub(super) fn check(files: &KernelFiles, contract: &Contract<'_>, findings: &mut Findings) {
    let Ok(kernel) = &files.kernel else { return };
    check_form(kernel, findings);
    check_version(kernel, contract, findings);
    let Some(config) = &files.config else {
        let own = kernel.unread.as_ref();
        let why = format!(
            "{}, and no config-{} stands beside it",
            own.map_or("it carries none (CONFIG_IKCONFIG)", Note::fact),
            kernel.release.as_deref().unwrap_or("VERSION")
        );
        let give = Remedy::say("give").choose(nex_fault::Setting::KernelConfig).and("FILE");
        let remedy =
            own.and_then(Note::remedy).map_or_else(|| give.clone(), |remedy| remedy.clone().also(give.clone()));
        findings.leave_out("the kernel's configuration", Note::new(why).advising(remedy));
        return;
    };
    let mut options = Options { config, unknown: Vec::new(), modules: Vec::new() };
    check_root(&mut options, contract, findings);
    check_devices(&mut options, kernel, contract, findings);
    check_programs(&mut options, kernel, contract, findings);
    check_extras(&mut options, contract, findings);
    if !options.unknown.is_empty() {
        let names: Vec<_> = options.unknown.iter().map(|name| format!("CONFIG_{name}")).collect();
        let why = format!("the configuration is no whole one, and does not say: {}", names.join(", "));
        findings.leave_out("some options of the kernel", why);
    }
}

fn check_form(kernel: &KernelFacts, findings: &mut Findings) {
    if !matches!(kernel.form, Form::Vmlinux | Form::Image) {
        let remedy = "QEMU starts it; Firecracker itself wants the vmlinux inside, or the Image of arm64";
        findings.report(&rules::KERNEL_FORMAT, format!("it is a {}", super::report::form(kernel)), remedy);
    }
}

fn check_version(kernel: &KernelFacts, contract: &Contract<'_>, findings: &mut Findings) {
    let Some(version) = kernel.release.as_deref() else { return };
    let Some(number) = number(version) else { return };
    for need in feature::needs(contract.superblock) {
        if let Some((major, minor)) = need.since.filter(|since| number < *since) {
            let evidence =
                format!("the superblock has {need}, which Linux {major}.{minor} brought; the kernel is {version}");
            findings.report(
                &rules::KERNEL_TOO_OLD,
                evidence,
                "take a newer kernel, or make the file system without it",
            );
        }
    }
}

/// `6.1.0-31-cloud-amd64` is 6.1.
fn number(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split(|character: char| !character.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// What stands between the kernel and its root.
fn check_root(options: &mut Options<'_>, contract: &Contract<'_>, findings: &mut Findings) {
    if options.lacks_for_root("EXT4_FS") {
        findings.report(&rules::KERNEL_EXT4, "CONFIG_EXT4_FS is not set", REBUILD);
    }
    for need in feature::needs(contract.superblock) {
        let missing = options.missing(need.options);
        if !missing.is_empty() {
            let evidence = format!("the superblock has {need}, for which the kernel lacks {missing}");
            findings.report(&rules::KERNEL_EXT4_OPTION, evidence, REBUILD);
        }
    }
    if options.lacks_for_root("VIRTIO_BLK") {
        findings.report(&rules::KERNEL_BLOCK, "CONFIG_VIRTIO_BLK is not set", REBUILD);
    }
    let (mmio, pci) = (options.get("VIRTIO_MMIO"), options.get("VIRTIO_PCI"));
    match (mmio, pci) {
        (Setting::No, Setting::No) => {
            let evidence = "neither CONFIG_VIRTIO_MMIO nor CONFIG_VIRTIO_PCI is set";
            findings.report(&rules::KERNEL_TRANSPORT, evidence, REBUILD);
        }
        (Setting::No, _) => {
            let remedy = "QEMU boots it; for Firecracker build the kernel with it, or start Firecracker with PCI";
            findings.report(&rules::KERNEL_MMIO, "CONFIG_VIRTIO_MMIO is not set", remedy);
        }
        (_, Setting::No) => {
            let remedy = "Firecracker boots it; for QEMU's q35 build the kernel with it";
            findings.report(&rules::KERNEL_PCI, "CONFIG_VIRTIO_PCI is not set", remedy);
        }
        _ => {}
    }
    if mmio != Setting::Yes && pci == Setting::Module {
        options.modules.push("VIRTIO_PCI");
    }
    if contract.wants_overlay && options.lacks_for_root("OVERLAY_FS") {
        findings.report(&rules::KERNEL_OVERLAY, "CONFIG_OVERLAY_FS is not set", REBUILD);
    }
    // An initramfs that loads it sets the device up, for which the kernel itself needs DM_INIT.
    if contract.has_verity && options.get("DM_VERITY") == Setting::Module {
        options.modules.push("DM_VERITY");
    }
    check_modules(options, findings);
}

fn check_modules(options: &mut Options<'_>, findings: &mut Findings) {
    if options.modules.is_empty() {
        return;
    }
    let modules: Vec<_> = options.modules.iter().map(|name| format!("CONFIG_{name}")).collect();
    let evidence = format!("{}: built as modules", modules.join(", "));
    if options.lacks("BLK_DEV_INITRD") {
        let evidence = format!("{evidence}, and CONFIG_BLK_DEV_INITRD is not set");
        findings.report(&rules::KERNEL_INITRAMFS, evidence, "build the kernel with the modules built in");
    } else {
        let remedy = "boot it by nex rootfs boot, which makes an initramfs of them, or with one of your own";
        findings.report(&rules::KERNEL_MODULES, evidence, remedy);
    }
}

/// What the init finds in `/dev`, and where its words go.
fn check_devices(options: &mut Options<'_>, kernel: &KernelFacts, contract: &Contract<'_>, findings: &mut Findings) {
    let is_static = contract.has_console_device;
    // Both open the console again when they have mounted it.
    let mounts_itself = matches!(contract.init, Some(InitKind::Agent | InitKind::Systemd));
    if options.lacks("DEVTMPFS") && !is_static {
        findings.report(&rules::KERNEL_DEVTMPFS, "CONFIG_DEVTMPFS is not set", REBUILD);
    } else if !mounts_itself && options.lacks("DEVTMPFS_MOUNT") && !is_static {
        let remedy = "build the kernel with it, or make the device in the image: mknod -m 600 /dev/console c 5 1";
        findings.report(&rules::KERNEL_DEVTMPFS_MOUNT, "CONFIG_DEVTMPFS_MOUNT is not set", remedy);
    }
    let is_arm = kernel.processor.is_some_and(|processor| processor.is("arm64"));
    // The port of QEMU's arm64 machine is another one; Firecracker's is the same on both.
    let lacks_pl011 = !is_arm || options.lacks_built_in("SERIAL_AMBA_PL011_CONSOLE");
    if lacks_pl011 && options.lacks_built_in("SERIAL_8250_CONSOLE") {
        let evidence = "CONFIG_SERIAL_8250_CONSOLE is not built in";
        findings.report(&rules::KERNEL_CONSOLE, evidence, REBUILD);
    }
}

/// What it takes to run the programs of the image.
fn check_programs(options: &mut Options<'_>, kernel: &KernelFacts, contract: &Contract<'_>, findings: &mut Findings) {
    if options.lacks_built_in("BINFMT_ELF") {
        findings.report(&rules::KERNEL_ELF, "CONFIG_BINFMT_ELF is not built in", REBUILD);
    }
    if contract.has_scripts && options.lacks_built_in("BINFMT_SCRIPT") {
        findings.report(&rules::KERNEL_SCRIPT, "CONFIG_BINFMT_SCRIPT is not built in", REBUILD);
    }
    let compat =
        kernel.processor.and_then(|own| contract.processors.iter().find(|processor| processor.is_compat_of(own)));
    if let Some(processor) = compat {
        let option = if processor.is("386") { "IA32_EMULATION" } else { "COMPAT" };
        if options.lacks(option) {
            let evidence = format!("the image's programs are for {processor}, and CONFIG_{option} is not set");
            findings.report(&rules::KERNEL_32_BIT, evidence, REBUILD);
        }
    }
    if contract.init == Some(InitKind::Systemd) {
        let missing = options.missing(&SYSTEMD);
        if !missing.is_empty() {
            findings.report(&rules::KERNEL_SYSTEMD, format!("not set: {missing}"), REBUILD);
        }
    } else {
        let missing = options.missing(&FILE_SYSTEMS);
        if !missing.is_empty() {
            findings.report(&rules::KERNEL_FILE_SYSTEMS, format!("not set: {missing}"), REBUILD);
        }
    }
}

/// What the image uses and a boot can do without.
fn check_extras(options: &mut Options<'_>, contract: &Contract<'_>, findings: &mut Findings) {
    if contract.has_verity && options.get("DM_VERITY") != Setting::Module {
        let names = ["DM_VERITY", "DM_INIT"];
        let missing: Vec<_> = names.into_iter().filter(|name| options.lacks_built_in(name)).collect();
        if !missing.is_empty() {
            let missing: Vec<_> = missing.iter().map(|name| format!("CONFIG_{name}")).collect();
            let evidence =
                format!("a hash tree stands behind the file system, and {} is not built in", missing.join(", "));
            findings.report(&rules::KERNEL_VERITY, evidence, REBUILD);
        }
    }
    if contract.resolver_is_the_kernel_s && options.lacks("IP_PNP") {
        let remedy = Remedy::say("build the kernel with it, or make the image with")
            .choose(nex_fault::Setting::ResolvConf)
            .and("FILE");
        findings.report(&rules::KERNEL_RESOLVER, "CONFIG_IP_PNP is not set", remedy);
    }
}
