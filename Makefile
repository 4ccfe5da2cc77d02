# The first target is what the README begins with.
.PHONY: rootfs build test forget-left-out test-setup lint test-quick test-slow test-all test-firecracker fuzz-quick bench bench-quick bench-scale bench-boot
.DELETE_ON_ERROR:

export CARGO_TARGET_DIR ?= $(CURDIR)/target
# Where e2fsck and its like are, which a user's PATH may leave out.
export PATH := $(PATH):/usr/sbin:/sbin
RELEASE := $(CARGO_TARGET_DIR)/release
# Lines of checks that could not be made.
export NEX_LEFT_OUT := $(CARGO_TARGET_DIR)/left-out

# A root filesystem of nothing but our own agent, as the guest's init. No network but cargo's.
rootfs: build
	$(RELEASE)/nex rootfs --image scratch -o rootfs.ext4

# nex, and the static nex-agent beside it, where nex finds it.
build:
	cargo build --locked --release --package nex
	install -m 755 "$$(scripts/build-agent)" $(RELEASE)/nex-agent

# Everything that CI runs. What it has left out is repeated at the end, where people look.
test: forget-left-out test-setup lint test-all bench-quick fuzz-quick
	@if [ -s "$(NEX_LEFT_OUT)" ]; then cat "$(NEX_LEFT_OUT)"; fi

# An earlier run's lines.
forget-left-out:
	@rm -f "$(NEX_LEFT_OUT)"

test-setup:
	scripts/setup-tests

lint:
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps
	scripts/check-circles
	cargo deny --log-level error check licenses bans sources
	scripts/check-advisories

test-quick:
	cargo test --locked --workspace

# Large images, made once and kept in target/test-images.
test-slow:
	cargo test --locked --workspace -- --ignored

# Both in one run: a slow test then leaves no processor idle while the quick ones beside it go on.
test-all:
	cargo test --locked --workspace -- --include-ignored

# Linux in a real Firecracker, where this machine can run it. docs/firecracker.md tells what else the tests show.
test-firecracker: build
	scripts/test-firecracker

# Some seconds of each fuzz target, from its seeds on. docs/fuzzing.md tells how to run them longer.
fuzz-quick:
	cargo test --quiet --locked --workspace --no-run
	NEX_FUZZ_SEEDS=$(CARGO_TARGET_DIR)/debug/fuzz-seeds scripts/fuzz 15

bench: build
	benches/rootfs

# Whether the benchmarks work, and whether cold, warm and many builds at once give the same bytes. Small images, one run, the
# tests' program: no figure of it means anything.
bench-quick:
	cargo test --quiet --locked --workspace --no-run
	benches/rootfs --quick --nex $(CARGO_TARGET_DIR)/debug/nex --agent "$$(scripts/build-agent)"
	benches/scale --nex $(CARGO_TARGET_DIR)/debug/nex --agent "$$(scripts/build-agent)" \
		--runs 1 --entries 2000 --bytes 0.1 --docs $(CARGO_TARGET_DIR)

# How time and memory grow with entries, layers and bytes; many builds at once. 22 GiB of disk and 6 GiB of memory.
bench-scale: build
	benches/scale --docs docs

# Boots of nex's images beside those of mkfs.ext4's.
bench-boot: build
	benches/boot
