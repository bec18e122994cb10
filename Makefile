# What one types here. `make help` lists it; each target's text is what stands behind its `##`.

CARGO ?= cargo

# Tools of this project's own, in the versions that scripts/install-tools.sh pins.
export PATH := $(CURDIR)/.tools/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help run demo build test lint proto bench clean

help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## runs everything in one process, on 127.0.0.1:8088
	$(CARGO) run --release -p jumak -- up

demo: ## tells a hotel's story on a system of its own, and checks each line of it
	$(CARGO) run --release -p jumak -- demo hotel

build: ## builds the one binary: target/release/jumak
	$(CARGO) build --release -p jumak

test: proto ## installs what tests need into .tools, checks the contracts, runs all tests
	@scripts/install-tools.sh grpcurl
	$(CARGO) test --workspace --no-fail-fast

lint: proto ## checks format, lints, dependencies and scripts
	@scripts/install-tools.sh shellcheck cargo-deny
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	cargo-deny --workspace check bans licenses sources
	shellcheck scripts/*.sh .ci/run

proto: ## checks the contracts; part of test and lint, being quick
	@scripts/install-tools.sh buf
	buf lint
	buf format --diff --exit-code --exclude-path proto/google
	scripts/buf-breaking.sh
	scripts/buf-breaking-selftest.sh

bench: ## measures how fast events pass
	$(CARGO) bench -p mesh --bench events

clean: ## removes what was built, and the tools
	$(CARGO) clean
	rm -rf .tools
