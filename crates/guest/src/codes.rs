//! Why there is no guest, for programs.

nex_fault::codes! {
    /// A file of the guest cannot be read.
    UNREADABLE = "guest-unreadable";
    /// The kernel's command line would be longer than kernels accept.
    COMMAND_LINE = "guest-command-line";
    /// The guest's initramfs needs an agent, and nex finds no agent.
    NO_AGENT = "guest-no-agent";
    /// The agent for the initramfs is for another architecture, or is not one of this nex.
    OTHER_AGENT = "guest-other-agent";
    /// No VMM here takes a kernel's file of this form.
    KERNEL_FORM = "guest-kernel-form";
    /// There is no memory for the initramfs.
    NO_MEMORY = "guest-no-memory";
    /// The guest cannot be followed any more.
    NOT_FOLLOWED = "guest-not-followed";
    /// KVM does not work here.
    NO_KVM = "guest-no-kvm";
    /// The chosen VMM cannot do what was requested.
    OTHER_VMM = "guest-other-vmm";
    /// There is no place for a drive that exists as long as the guest.
    NO_PLACE = "guest-no-place";
    /// The host has no room for the data that the guest writes.
    NO_ROOM = "guest-no-room";
    /// A drive's file cannot be made.
    DRIVE_NOT_MADE = "guest-drive-not-made";
    /// The file for a guest's changes cannot be used as a drive.
    NOT_A_DRIVE = "guest-not-a-drive";
    /// The hash tree belongs to another root filesystem.
    OTHER_TREE = "verity-other-tree";
    /// The hash tree's file ends before the tree does.
    TREE_CUT_OFF = "verity-cut-off";
    /// The root hash of the hash tree is not the requested one.
    ROOT_HASH = "verity-root-hash";
}
