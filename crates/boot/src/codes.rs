//! Why there is no boot, for programs.

nex_fault::codes! {
    /// Nothing would show that the guest is up.
    SILENT_AGENT = "boot-silent-agent";
    /// The root filesystem has no agent that lays an overlay over it.
    OVERLAY_AGENT = "boot-overlay-agent";
    /// A guest is not ready: it ended, or its time is over.
    NOT_READY = "boot-not-ready";
}
