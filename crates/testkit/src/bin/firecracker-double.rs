//! Firecracker's double, as a program: see `nex_testkit::firecracker`.

fn main() -> std::process::ExitCode {
    nex_testkit::firecracker::main(std::env::args_os().skip(1))
}
