//! What Firecracker's API description (its OpenAPI file, `firecracker.yaml`) says of the requests that a boot needs: which
//! method and path takes which object, which fields that has, of which type, and which are required.
//!
//! As of release 1.12, whose program judges this table in the tests. Paths that are missing here (network, balloon,
//! metadata, snapshots) are refused, though Firecracker has them: nex has no business with them.

/// What may be asked for.
pub struct Operation {
    /// The HTTP method.
    pub method: &'static str,
    /// The path; the part in braces is any identifier.
    pub path: &'static str,
    /// What the body is.
    pub body: Option<&'static Object>,
    /// When it may be asked for.
    pub when: When,
}

/// The state that the microVM must be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Any.
    Always,
    /// It has not been started.
    BeforeStart,
    /// It has been started.
    AfterStart,
    /// The request itself decides.
    ByContent,
}

/// A definition: a JSON object.
pub struct Object {
    /// Its fields. No other may be there.
    pub fields: &'static [Field],
}

/// A field of an object.
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
}

/// A field's type.
pub enum Kind {
    /// A text.
    Text,
    /// True or false.
    Flag,
    /// A whole number in a range, of a type of the program's.
    Number { from: u64, to: u64, type_name: &'static str },
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// One of these texts, in capital letters or not.
    AnyCase(&'static [&'static str]),
    /// An object.
    Part(&'static Object),
}

const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

const U64: Kind = Kind::Number { from: 0, to: u64::MAX, type_name: "u64" };

/// All that may be asked for.
pub const OPERATIONS: [Operation; 14] = [
    operation("GET", "/", None, When::Always),
    operation("GET", "/version", None, When::Always),
    operation("GET", "/machine-config", None, When::Always),
    operation("PUT", "/machine-config", Some(&MACHINE_CONFIGURATION), When::BeforeStart),
    operation("PATCH", "/machine-config", Some(&MACHINE_CONFIGURATION_UPDATE), When::BeforeStart),
    operation("PUT", "/boot-source", Some(&BOOT_SOURCE), When::BeforeStart),
    operation("PUT", "/drives/{id}", Some(&DRIVE), When::BeforeStart),
    operation("PATCH", "/drives/{id}", Some(&PARTIAL_DRIVE), When::AfterStart),
    operation("PUT", "/logger", Some(&LOGGER), When::BeforeStart),
    operation("PUT", "/metrics", Some(&METRICS), When::BeforeStart),
    operation("PUT", "/entropy", Some(&ENTROPY_DEVICE), When::BeforeStart),
    operation("PUT", "/vsock", Some(&VSOCK), When::BeforeStart),
    operation("PUT", "/actions", Some(&INSTANCE_ACTION_INFO), When::ByContent),
    operation("PATCH", "/vm", Some(&VM), When::AfterStart),
];

const fn operation(method: &'static str, path: &'static str, body: Option<&'static Object>, when: When) -> Operation {
    Operation { method, path, body, when }
}

static MACHINE_CONFIGURATION: Object = Object {
    fields: &[
        required("vcpu_count", VCPU_COUNT),
        required("mem_size_mib", U64),
        optional("smt", Kind::Flag),
        optional("cpu_template", CPU_TEMPLATE),
        optional("track_dirty_pages", Kind::Flag),
        optional("huge_pages", HUGE_PAGES),
    ],
};

static MACHINE_CONFIGURATION_UPDATE: Object = Object {
    fields: &[
        optional("vcpu_count", VCPU_COUNT),
        optional("mem_size_mib", U64),
        optional("smt", Kind::Flag),
        optional("cpu_template", CPU_TEMPLATE),
        optional("track_dirty_pages", Kind::Flag),
        optional("huge_pages", HUGE_PAGES),
    ],
};

const VCPU_COUNT: Kind = Kind::Number { from: 1, to: 32, type_name: "u8" };
const CPU_TEMPLATE: Kind = Kind::OneOf(&["C3", "T2", "T2S", "T2CL", "T2A", "V1N1", "None"]);
const HUGE_PAGES: Kind = Kind::OneOf(&["None", "2M"]);

static BOOT_SOURCE: Object = Object {
    fields: &[
        required("kernel_image_path", Kind::Text),
        optional("initrd_path", Kind::Text),
        optional("boot_args", Kind::Text),
    ],
};

// `is_read_only` and `path_on_host` are required of a drive that is a file, which is the only kind that the double has; the
// program takes a drive without the first for one that may be written.
static DRIVE: Object = Object {
    fields: &[
        required("drive_id", Kind::Text),
        optional("partuuid", Kind::Text),
        required("is_root_device", Kind::Flag),
        optional("cache_type", Kind::OneOf(&["Unsafe", "Writeback"])),
        required("is_read_only", Kind::Flag),
        required("path_on_host", Kind::Text),
        optional("rate_limiter", Kind::Part(&RATE_LIMITER)),
        optional("io_engine", Kind::OneOf(&["Async", "Sync"])),
    ],
};

static PARTIAL_DRIVE: Object = Object {
    fields: &[
        required("drive_id", Kind::Text),
        optional("path_on_host", Kind::Text),
        optional("rate_limiter", Kind::Part(&RATE_LIMITER)),
    ],
};

static RATE_LIMITER: Object =
    Object { fields: &[optional("bandwidth", Kind::Part(&TOKEN_BUCKET)), optional("ops", Kind::Part(&TOKEN_BUCKET))] };

static TOKEN_BUCKET: Object =
    Object { fields: &[required("size", U64), optional("one_time_burst", U64), required("refill_time", U64)] };

static LOGGER: Object = Object {
    fields: &[
        optional("log_path", Kind::Text),
        optional("level", Kind::AnyCase(&["Error", "Warning", "Info", "Debug", "Trace", "Off"])),
        optional("show_level", Kind::Flag),
        optional("show_log_origin", Kind::Flag),
        optional("module", Kind::Text),
    ],
};

static METRICS: Object = Object { fields: &[required("metrics_path", Kind::Text)] };

static ENTROPY_DEVICE: Object = Object { fields: &[optional("rate_limiter", Kind::Part(&RATE_LIMITER))] };

// The description wants a number of 3 and more; the program takes any.
static VSOCK: Object = Object {
    fields: &[
        optional("vsock_id", Kind::Text),
        required("guest_cid", Kind::Number { from: 3, to: u32::MAX as u64, type_name: "u32" }),
        required("uds_path", Kind::Text),
    ],
};

static INSTANCE_ACTION_INFO: Object =
    Object { fields: &[required("action_type", Kind::OneOf(&["FlushMetrics", "InstanceStart", "SendCtrlAltDel"]))] };

static VM: Object = Object { fields: &[required("state", Kind::OneOf(&["Paused", "Resumed"]))] };
