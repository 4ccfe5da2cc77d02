//! How long a request to a guest may be, and its parts.

/// The longest request, in bytes of JSON.
pub const MAX_REQUEST: usize = 256 << 10;

/// The most arguments of a program, and the most variables.
pub const MAX_STRINGS: usize = 4096;

/// The longest argument or variable, in bytes: `MAX_ARG_STRLEN` of Linux without the zero byte.
pub const MAX_STRING: usize = (128 << 10) - 1;

/// The longest path, in bytes: `PATH_MAX` of Linux without the zero byte.
pub const MAX_PATH: usize = 4095;

/// The longest `USER:GROUP`, and the longest name of a terminal's type, in bytes.
pub const MAX_NAME: usize = 256;
