# The index of what one can do here. CI runs `make test`, and nothing that people can't run.
#
# Nothing has to be installed by hand on Debian 12: a target gets what it needs and is missing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run build image check-image run-vm test test-boot test-boot-all boot-times unit lint fmt check-fmt check-configs check-docs docs deny fuzz bench bench-hypervisors profile instructions microbench clean

# Where rustup puts cargo, for shells that were not told.
export PATH := $(HOME)/.cargo/bin:$(PATH)

TARGET := x86_64-unknown-linux-gnu
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
RELEASE := $(TARGET_DIR)/$(TARGET)/release/weir

# All tests share one profile and one build: the release code without the minutes of fat LTO.
PROFILE := test-release
export WEIR_BIN := $(abspath $(TARGET_DIR)/$(TARGET)/$(PROFILE)/weir)
# The product's tests wait much more than they work.
export RUST_TEST_THREADS ?= 8

# How long each fuzz target runs.
FUZZ_SECONDS ?= 20

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build Weir and see it balance three built-in servers on http://127.0.0.1:8080/
	@exec $(RELEASE) demo

build: ## The one static binary, target/x86_64-unknown-linux-gnu/release/weir
	@tools/need rust
	cargo build --locked --release --package weir
	@echo "built $(RELEASE)"

# WEIR= names another binary, and then none is built.
IMAGE = cargo run --locked --quiet --package appliance-image --profile $(PROFILE) -- build --weir "$(or $(WEIR),$(RELEASE))"

image: ## The appliance in every disk format, and its kernel and initramfs, in dist/ (WEIR=)
	@tools/need rust image
	@[[ -n "$(WEIR)" ]] || $(MAKE) --no-print-directory build
	@$(IMAGE) --out dist

# The first one stays in target/check-image/one.
check-image: ## Build the image twice and compare each byte; check the disks with qemu-img (WEIR=)
	@tools/need rust image boot
	@[[ -n "$(WEIR)" ]] || $(MAKE) --no-print-directory build
	@rm -rf target/check-image
	@$(IMAGE) --out target/check-image/one
	@$(IMAGE) --out target/check-image/other
	diff --recursive --brief target/check-image/one target/check-image/other
	@rm -rf target/check-image/other
	appliance-image/check target/check-image/one

# The disk is thrown away afterwards. CONFIG= is the first-boot configuration, MEMORY= in MiB.
run-vm: ## Boot the image from dist/ in QEMU: http://127.0.0.1:8080/, admin on 9000 (CONFIG= MEMORY=)
	@tools/need boot
	@ls dist/weir-*.qcow2 >/dev/null 2>&1 || $(MAKE) --no-print-directory image
	@exec appliance-image/run-vm $(if $(CONFIG),--config "$(CONFIG)") $(if $(MEMORY),--memory $(MEMORY))

test: ## Everything that CI checks
	@tools/need rust lint peers
	@$(MAKE) --no-print-directory check-fmt
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory $(WEIR_BIN)
	@$(MAKE) --no-print-directory check-configs
	@$(MAKE) --no-print-directory check-docs
	@$(MAKE) --no-print-directory deny
	@$(MAKE) --no-print-directory fuzz
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory instructions
	@$(MAKE) --no-print-directory check-image WEIR="$(WEIR_BIN)"
	@$(MAKE) --no-print-directory test-boot WEIR_IMAGE_DIR="$(abspath target/check-image/one)"

unit: $(WEIR_BIN) ## The tests alone: of each crate, and of the real binary against real peers
	cargo test --locked --workspace --no-fail-fast --profile $(PROFILE)

# With all targets, so that the tests afterwards find their dependencies built with the same features.
.PHONY: $(WEIR_BIN)
$(WEIR_BIN):
	@tools/need rust
	cargo build --locked --workspace --all-targets --profile $(PROFILE)

# WEIR_IMAGE_DIR= names a folder with another image; then none is built. ONLY= is a part of a test's name.
# Each test has a machine of its own: emulation takes a processor, and what is around it another.
export WEIR_IMAGE_DIR ?= $(abspath dist)
BOOT_TESTS = cargo test --locked --package weir-boot-tests --profile $(PROFILE) --test boot -- --ignored
AT_ONCE = --test-threads $(shell processors=$$(nproc); echo $$((processors < 4 ? 1 : processors / 2)))

test-boot: ## The image in emulated machines: each firmware, card and disk at least once, and what may go wrong (ONLY=)
	@tools/need rust boot guests
	@[[ "$(origin WEIR_IMAGE_DIR)" != file ]] || $(MAKE) --no-print-directory image
	$(BOOT_TESTS) $(AT_ONCE) $(or $(ONLY),small::)

test-boot-all: ## The same with every pair of them, a real Xen, and Hyper-V's bus: an hour (ONLY=)
	@tools/need rust boot guests
	@[[ "$(origin WEIR_IMAGE_DIR)" != file ]] || $(MAKE) --no-print-directory image
	$(BOOT_TESTS) $(AT_ONCE) $(ONLY) --skip times::

boot-times: ## From power-on to the first request, the kernel's share and ours: the table in docs/appliance.md
	@tools/need rust boot guests
	@[[ "$(origin WEIR_IMAGE_DIR)" != file ]] || $(MAKE) --no-print-directory image
	@$(BOOT_TESTS) --test-threads 1 --quiet --nocapture times::

fmt: ## Format the code
	@tools/need rust lint
	cargo fmt --all

check-fmt:
	@tools/need rust lint
	cargo fmt --all --check

# Another compiler than the pinned one knows other lints: what it says is shown, but only the pinned one's
# warnings fail.
lint: ## Clippy over everything
	@tools/need rust lint
	@pinned=$$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml); \
	strict=(); [[ $$(rustc --version) != "rustc $$pinned "* ]] || strict=(-- -D warnings); \
	set -x; cargo clippy --locked --workspace --all-targets --profile $(PROFILE) "$${strict[@]}"

check-configs: $(WEIR_BIN) ## Check the example configurations
	@for file in configs/*.yaml; do $(WEIR_BIN) check --text-only --config "$$file"; done

docs: $(WEIR_BIN) ## Write the generated pages in docs/ again
	@mkdir -p docs
	$(WEIR_BIN) schema > docs/schema.json
	$(WEIR_BIN) schema --reference > docs/reference.md

check-docs: $(WEIR_BIN)
	@for page in schema.json: reference.md:--reference; do \
	    $(WEIR_BIN) schema $${page#*:} | diff -u "docs/$${page%%:*}" - \
	        || { echo "docs/$${page%%:*} is not what the binary prints; run \`make docs\`" >&2; exit 1; }; \
	done
	@echo "docs: the generated pages are up to date"

deny: ## Licences, bans, sources and known vulnerabilities of the dependencies
	@tools/deny

fuzz: ## Each fuzz target for a while (FUZZ_SECONDS=20), where a nightly toolchain is
	@tools/fuzz $(FUZZ_SECONDS)

# WEIR=, HAPROXY=, NGINX=, CADDY= and ENVOY= name other binaries; with WEIR= only the benchmark is built.
# CASES= is all, http, tls, h2, tcp or single cases; docs/benchmark.md has them.
# BENCH= is for any other option: `make bench BENCH=--help` lists them. The page with charts is target/bench/report.html.
bench: ## Compare Weir with other proxies here (ROUNDS= SECONDS= CASES= PEERS= WEIR= HAPROXY= …)
	@tools/need rust bench
	@[[ -n "$(WEIR)" ]] || $(MAKE) --no-print-directory build
	@cargo build --locked --quiet --package weir-bench --profile $(PROFILE)
	@export WEIR="$(or $(WEIR),$(RELEASE))"; \
	[[ -n "$${ENVOY:-}" || ! -x target/peers/envoy ]] || export ENVOY=target/peers/envoy; \
	exec $(dir $(WEIR_BIN))against-peers --date "$$(date -u +%F)" --report target/bench \
	    $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS)) \
	    $(if $(CASES),--cases $(CASES)) $(if $(PEERS),--peers $(PEERS)) $(BENCH)

# Kept in target/hypervisors/, where it goes on if it was broken off; BENCH=--restart begins anew. CARDS= is some of
# `bench/hypervisors/machine list`. WEIR= names another binary, WEIR_IMAGE_DIR= a folder with an image that has the same in it.
bench-hypervisors: ## What a hypervisor and each network card cost: natively, in QEMU and on Xen, here (CARDS= ROUNDS= SECONDS=)
	@tools/need rust boot guests hypervisors
	@cargo build --locked --quiet --package weir-boot-tests --profile $(PROFILE)
	@[[ -n "$(WEIR)" ]] || $(MAKE) --no-print-directory build
	@[[ "$(origin WEIR_IMAGE_DIR)" != file ]] || $(MAKE) --no-print-directory image
	@images=("$$WEIR_IMAGE_DIR"/weir-*.qcow2); \
	WEIR="$(or $(WEIR),$(RELEASE))" IMAGE="$${images[-1]}" OUT=target/hypervisors \
	    XEN_HOST="$(dir $(WEIR_BIN))xen-host" \
	    $(if $(ROUNDS),ROUNDS=$(ROUNDS)) $(if $(SECONDS),SECONDS_EACH=$(SECONDS)) $(if $(CARDS),CARDS="$(CARDS)") \
	    bench/hypervisors/run $(BENCH)

# ONLY= is a part of a name: routing, balancing::pick, heads, access_log.
microbench: ## How long each piece of the way of a request takes, alone (ONLY=)
	@tools/need rust
	cargo bench --locked --package weir-proxy --bench hot --profile $(PROFILE) -- $(ONLY)

# Where WEIR= names another binary, Weir isn't built. CASE= is one of 0b, 1k, 0b-close, 0b-log, https, h2 and tcp.
profile: ## Where a request's instructions, allocations and system calls are (WEIR= CASE= ROWS=)
	@tools/need rust profile
	@[[ -n "$(WEIR)" ]] || $(MAKE) --no-print-directory build
	@cargo build --locked --quiet --package weir-bench --profile $(PROFILE)
	@WEIR="$(or $(WEIR),$(RELEASE))" exec $(dir $(WEIR_BIN))request-cost profile \
	    $(if $(CASE),--case $(CASE)) $(if $(ROWS),--rows $(ROWS))

# No figure fails this, nor does a machine where nothing can be counted: it says so.
instructions: $(WEIR_BIN) ## Instructions a request, and how far from docs/instructions.json (UPDATE=1 writes it)
	@tools/need profile || true
	@WEIR="$(WEIR_BIN)" exec $(dir $(WEIR_BIN))request-cost instructions --baseline docs/instructions.json \
	    $(if $(UPDATE),--update)

clean: ## Remove what was built
	rm -rf $(TARGET_DIR) fuzz/target
