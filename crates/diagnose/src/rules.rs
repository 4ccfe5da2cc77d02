//! All rules of the contract check, as `docs/checks.md` lists them.

use crate::finding::{Rule, Severity};

/// Declares each rule and the table of all of them.
macro_rules! rules {
    ($($name:ident: $severity:ident $id:literal $meaning:literal)*) => {
        $(
            #[doc = $meaning]
            pub const $name: Rule = Rule { id: $id, severity: Severity::$severity, meaning: $meaning };
        )*

        /// All rules, in the order in which they are looked at.
        pub const ALL: &[Rule] = &[$($name),*];
    };
}

rules! {
    NOT_EXT4: Error "not-ext4" "The file contains no ext4 file system."
    EXT4_CUT_OFF: Error "ext4-cut-off" "The file ends before the file system does; the kernel refuses it."
    EXT4_DAMAGED: Error "ext4-damaged" "The file system is damaged: the kernel refuses it, or data that depends on the damaged part cannot be trusted."
    EXT4_FEATURE: Error "ext4-feature" "No kernel mounts a file system with this feature."
    EXT4_BLOCK_SIZE: Error "ext4-block-size" "The blocks are larger than the guest's pages; most kernels refuse the file system."
    EXT4_JOURNAL_DIRTY: Warning "ext4-journal-dirty" "The journal has to be replayed. A mount replays it, but not on a read-only drive."
    EXT4_NOT_CLEAN: Warning "ext4-not-clean" "The file system was not unmounted, or the kernel found errors in it."
    SPACE_LOW: Warning "space-low" "Hardly any free space is left."
    INODES_LOW: Warning "inodes-low" "Hardly any free inodes are left for new files."

    DEV_MISSING: Error "dev-missing" "There is no directory /dev: the kernel cannot mount devtmpfs, and init has no console."
    MOUNT_POINT_MISSING: Warning "mount-point-missing" "A directory is missing on which the init mounts a file system."

    INIT_MISSING: Error "init-missing" "The kernel finds no init, and panics."
    INIT_NOT_EXECUTABLE: Error "init-not-executable" "The init is no regular file, or nobody may execute it."
    INIT_NO_PROGRAM: Error "init-no-program" "The init is neither a program nor a script."
    INIT_MACHINE: Error "init-machine" "The init is for another architecture than the kernel."
    INIT_INTERPRETER: Error "init-interpreter" "The loader of the init, or the interpreter of its script, is missing."
    INIT_LIBRARIES: Error "init-libraries" "Libraries that the init needs are missing, or are too old."
    INIT_SHELL: Warning "init-shell" "There is no init, and the kernel starts a shell instead."
    INITTAB_PROGRAM: Warning "inittab-program" "/etc/inittab starts a program that is missing."
    SYSTEMD_TARGET: Error "systemd-target" "systemd has no default.target, and stops in its emergency shell."

    AGENT_NONE: Info "agent-none" "There is no agent, so nothing tells the host that the guest is up."
    AGENT_MISSING: Error "agent-missing" "The image starts an agent that is missing."
    AGENT_NOT_EXECUTABLE: Error "agent-not-executable" "The agent is no regular file, or nobody may execute it."
    AGENT_NO_PROGRAM: Error "agent-no-program" "The agent is neither a program nor a script."
    AGENT_MACHINE: Error "agent-machine" "The agent is for another architecture than the init or the kernel."
    AGENT_INTERPRETER: Error "agent-interpreter" "The loader of the agent, or the interpreter of its script, is missing."
    AGENT_LIBRARIES: Error "agent-libraries" "Libraries that the agent needs are missing, or are too old."
    AGENT_FOREIGN: Info "agent-foreign" "The agent is not nex's own: nex run does not accept it, and nex rootfs boot needs a flag that says when the guest is ready."
    AGENT_PROTOCOL: Warning "agent-protocol" "The agent is nex's own, but of a version that this nex does not understand."
    AGENT_NOT_STARTED: Error "agent-not-started" "Nothing starts the agent."
    AGENT_USER: Error "agent-user" "The user or the group of the agent's service is unknown."
    AGENT_HOME: Warning "agent-home" "The home directory of the agent's user is missing or belongs to another user."

    BOOT_SCRIPT: Error "boot-script" "The boot script cannot run."

    IMAGE_CONFIG: Warning "image-config" "/etc/nex/image.json cannot be read, so that the image's program is unknown."
    IMAGE_ENV: Warning "image-env" "A variable of the image's program is not NAME=value, and counts as empty."
    IMAGE_STOP_SIGNAL: Warning "image-stop-signal" "The signal that stops the image's program is unknown, so that the program is not started."
    IMAGE_USER: Warning "image-user" "The user or the group of the image's program is unknown, so that the program is not started."
    IMAGE_WORKDIR: Warning "image-workdir" "The directory of the image's program is missing or no directory, so that the program is not started."
    IMAGE_PROCESS_ONE: Warning "image-process-one" "The image's program has to be process 1, and the agent would start it as another process."
    IMAGE_PROGRAM: Warning "image-program" "The image's program is missing, or cannot run."

    GETTY_NONE: Info "getty-none" "Nobody can log in on the serial console."
    GETTY_PROGRAM: Warning "getty-program" "The login on the serial console needs a program that is missing."
    GETTY_WAITS: Warning "getty-waits" "systemd waits 90 seconds for the serial port, because nothing announces the port without udev."
    SECURETTY: Warning "securetty" "/etc/securetty keeps root from logging in on the serial console."

    USER_ROOT: Warning "user-root" "/etc/passwd has no root."
    USER_SHELL: Warning "user-shell" "root's shell is missing, so that root cannot log in."
    USER_SHADOW: Warning "user-shadow" "A user's password should be in /etc/shadow, which has no entry for the user."
    USER_GROUP: Warning "user-group" "The group of a user is unknown."
    USER_HASH: Warning "user-hash" "A password in /etc/passwd or /etc/shadow is no hash, so that nobody can log in with it; perhaps it is the password itself."
    USER_OPEN: Info "user-open" "root has no password: everybody at the console is root."

    RESOLVER_NONE: Info "resolver-none" "There is no name server in /etc/resolv.conf."
    RESOLVER_DEAD: Warning "resolver-dead" "/etc/resolv.conf names a server, or leads to a file, that the guest does not have."
    MACHINE_ID_SHARED: Warning "machine-id-shared" "All guests of this image have one machine-id, so networks and logs treat them as one machine."
    MACHINE_ID_FIRST_BOOT: Info "machine-id-first-boot" "systemd treats every boot as the first one, and applies its presets."
    MACHINE_ID_INVALID: Warning "machine-id-invalid" "/etc/machine-id contains no machine-id."
    SSH_KEYS_SHARED: Warning "ssh-keys-shared" "All guests of this image have the same SSH host keys, so anybody who has the keys can impersonate each guest."
    FSTAB_DEVICE: Warning "fstab-device" "/etc/fstab mounts a device that a microVM does not have, so that the boot waits or fails."
    FSTAB_DRIVE: Info "fstab-drive" "/etc/fstab mounts a further drive, which the guest has to have."

    NO_KERNEL: Error "no-kernel" "The file given as the kernel is not a kernel."
    KERNEL_MACHINE: Error "kernel-machine" "The kernel is for another architecture than the image."
    KERNEL_32_BIT: Error "kernel-32-bit" "The kernel runs no 32-bit programs, and the init or the agent is one."
    KERNEL_TOO_OLD: Error "kernel-too-old" "The kernel is too old for a feature of the file system."
    KERNEL_EXT4: Error "kernel-ext4" "The kernel has no ext4."
    KERNEL_EXT4_OPTION: Error "kernel-ext4-option" "The file system has a feature for which the kernel lacks an option."
    KERNEL_BLOCK: Error "kernel-block" "The kernel has no driver for the drive."
    KERNEL_TRANSPORT: Error "kernel-transport" "The kernel finds virtio devices neither on PCI nor by MMIO."
    KERNEL_MODULES: Warning "kernel-modules" "Drivers that the kernel needs for its root are modules, which an initramfs has to load."
    KERNEL_INITRAMFS: Error "kernel-initramfs" "The kernel needs an initramfs for its modules, and cannot take one."
    KERNEL_MMIO: Info "kernel-mmio" "The kernel has no virtio by MMIO, which Firecracker's devices use."
    KERNEL_PCI: Info "kernel-pci" "The kernel has no virtio on PCI, which the devices of QEMU's q35 use."
    KERNEL_DEVTMPFS: Error "kernel-devtmpfs" "The kernel has no devtmpfs, and the image has no device files."
    KERNEL_DEVTMPFS_MOUNT: Warning "kernel-devtmpfs-mount" "The kernel does not mount devtmpfs itself, and the image has no /dev/console: init starts without a console."
    KERNEL_CONSOLE: Error "kernel-console" "The kernel has no console on the serial port, so the guest's output is lost."
    KERNEL_ELF: Error "kernel-elf" "The kernel runs no ELF programs."
    KERNEL_SCRIPT: Error "kernel-script" "The kernel runs no scripts, and the boot needs some."
    KERNEL_FILE_SYSTEMS: Warning "kernel-file-systems" "The kernel lacks a file system that every init mounts."
    KERNEL_SYSTEMD: Error "kernel-systemd" "The kernel lacks a feature that systemd needs."
    KERNEL_OVERLAY: Error "kernel-overlay" "The root needs an overlay, and the kernel has no overlayfs."
    KERNEL_VERITY: Warning "kernel-verity" "The image has a dm-verity tree, and the kernel cannot check it."
    KERNEL_RESOLVER: Info "kernel-resolver" "/etc/resolv.conf leads to a file of the kernel, which the kernel does not write."
    KERNEL_FORMAT: Info "kernel-format" "Firecracker does not start a kernel of this form."
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_plain() {
        let ids: BTreeSet<_> = ALL.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), ALL.len());
        let is_plain =
            |id: &str| id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        assert!(ids.into_iter().all(is_plain));
        assert!(ALL.iter().all(|rule| rule.meaning.ends_with('.')));
    }

    #[test]
    fn the_page_lists_what_the_code_has() {
        let page = include_str!("../../../docs/checks.md");
        let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).map(String::from).collect();
        let severity = |rule: &Rule| format!("{:?}", rule.severity).to_lowercase();
        let expected = ALL.iter().map(|rule| format!("| `{}` | {} | {} |", rule.id, severity(rule), rule.meaning));
        assert_eq!(rows, expected.collect::<Vec<_>>());
    }
}
