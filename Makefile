# The first target is what the README begins with. 'make help' lists those with a comment of two signs.
.PHONY: rootfs build default-image install uninstall release test test-long guest-kernel forget-left-out test-setup lint test-quick \
	test-slow test-all test-release test-firecracker fuzz-quick bench bench-quick bench-scale bench-boot help
.DELETE_ON_ERROR:

export CARGO_TARGET_DIR ?= $(CURDIR)/target
# Where e2fsck and its like are, which a user's PATH may leave out.
export PATH := $(PATH):/usr/sbin:/sbin
RELEASE := $(CARGO_TARGET_DIR)/release
# Where 'make install' puts nex, and what stands in front of that while a package is made.
PREFIX ?= /usr/local
DESTDIR ?=
export PREFIX DESTDIR
# nex:default, where 'make default-image' has made it.
DEFAULT_IMAGE := $(CARGO_TARGET_DIR)/share/nex/images/default.oci.tar
# Lines of checks that could not be made.
export NEX_LEFT_OUT := $(CARGO_TARGET_DIR)/left-out

## Makes a first root filesystem with something to look at, rootfs.ext4; checks it, and boots it where it can
rootfs:
	@echo "make rootfs: building nex, which takes some minutes the first time"
	@$(MAKE) --no-print-directory build
	@scripts/first-rootfs $(RELEASE)/nex

## Builds nex, and the static nex-agent beside it, in target/release
build:
	cargo build --locked --release --package nex
	install -m 755 "$$(scripts/build-agent)" $(RELEASE)/nex-agent

## Makes nex:default, the image that comes with nex: MINIROOTFS=FILE-OR-DIRECTORY where Alpine's site cannot be reached
default-image:
	@scripts/default-image $(if $(MINIROOTFS),--minirootfs "$(MINIROOTFS)") "$(DEFAULT_IMAGE)"

## Installs nex, its agent, manual pages, completions, and nex:default where it is made: PREFIX=/usr/local DESTDIR= BUILT=DIRECTORY (of a nex and its agent)
install:
ifdef BUILT
	@[ -f "$(BUILT)/nex" ] && [ -f "$(BUILT)/nex-agent" ] || { \
		echo "make install: there is no nex with its nex-agent in BUILT=$(BUILT); name the directory of both, such as target/release" >&2; \
		exit 1; }
	@tree=$$(mktemp -d) && trap 'rm -rf "$$tree"' EXIT && trap 'exit 130' HUP INT TERM && \
		scripts/packaging/tree "$(BUILT)/nex" "$(BUILT)/nex-agent" "$$tree/nex" "$(BUILT)/nex" "$(DEFAULT_IMAGE)" && \
		"$$tree/nex/install.sh"
else
# Who becomes root to install has built as a user: root often has no cargo, and would leave files that the user cannot replace.
	@[ -n "$$SUDO_USER" ] && [ -x $(RELEASE)/nex ] && [ -x $(RELEASE)/nex-agent ] || $(MAKE) build
	@$(MAKE) --no-print-directory install BUILT="$(RELEASE)"
endif

## Removes what 'make install' has installed: PREFIX=/usr/local DESTDIR=
uninstall:
	@scripts/packaging/install.sh --uninstall

## Makes a release in dist: tarballs, Debian packages and container images for amd64 and arm64 (docs/release.md)
release:
	scripts/release

## Runs everything that CI runs
test: forget-left-out test-setup lint test-all bench-quick fuzz-quick
# What it has left out is repeated at the end, where people look.
	@if [ -s "$(NEX_LEFT_OUT)" ]; then cat "$(NEX_LEFT_OUT)"; fi

## Runs the tests with the kernel that nex builds for guests, which is built first: some minutes, once a machine
# Without it, tests that boot it leave that out, and the others have Debian's.
test-long: guest-kernel
	$(MAKE) test

## Builds a kernel for guests into the user's cache (docs/kernels.md)
guest-kernel:
	scripts/guest-kernel

# An earlier run's lines.
forget-left-out:
	@rm -f "$(NEX_LEFT_OUT)"

## Installs what the tests need, and says what
test-setup:
	scripts/setup-tests

## Checks form, lints, documentation, circles, workflows and dependencies
lint:
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps
	scripts/check-circles
	scripts/check-workflows
	cargo deny --log-level error check licenses bans sources
	scripts/check-advisories

## Runs the quick tests
test-quick:
	cargo test --locked --workspace

## Runs the slow tests: large images, made once and kept in target/test-images
test-slow:
	cargo test --locked --workspace -- --ignored

## Runs the quick and the slow tests
test-all:
# In one run: a slow test then leaves no processor idle while the quick ones beside it go on.
	cargo test --locked --workspace -- --include-ignored

## Makes the release twice, compares the bytes, and installs it in clean systems; not in CI
test-release:
	scripts/test-release

## Boots Linux in a real Firecracker, where this machine can run it
test-firecracker: build
# docs/firecracker.md tells what else the tests show.
	scripts/test-firecracker

## Runs each fuzz target for some seconds, from its seeds on
fuzz-quick:
# docs/fuzzing.md tells how to run them longer.
	cargo test --quiet --locked --workspace --no-run
	NEX_FUZZ_SEEDS=$(CARGO_TARGET_DIR)/debug/fuzz-seeds scripts/fuzz 15

## Times nex beside the ways that people use today
bench: build
	benches/rootfs

## Tries whether the benchmarks work; no figure of it means anything
bench-quick:
# And whether cold, warm and many builds at once give the same bytes. Small images, one run, the tests' program.
	cargo test --quiet --locked --workspace --no-run
	benches/rootfs --quick --nex $(CARGO_TARGET_DIR)/debug/nex --agent "$$(scripts/build-agent)"
	benches/scale --nex $(CARGO_TARGET_DIR)/debug/nex --agent "$$(scripts/build-agent)" \
		--runs 1 --entries 2000 --bytes 0.1 --docs $(CARGO_TARGET_DIR)

## Times how builds grow with entries, layers and bytes, and many at once (22 GiB of disk, 6 GiB of memory)
bench-scale: build
	benches/scale --docs docs

## Times boots of nex's images beside those of mkfs.ext4's
bench-boot: build
	benches/boot

## Lists what can be made
help:
	@awk '/^## / { text = substr($$0, 4) } \
		/^[a-z0-9-]+:/ && text { sub(/:.*/, ""); printf "%-18s%s\n", $$0, text; text = "" }' $(MAKEFILE_LIST)
