//! The walk, judged by GNU tar and by the files themselves.
