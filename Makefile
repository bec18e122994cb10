# What one types here. `make help` lists it; each target's text is what stands behind its `##`.

CARGO ?= cargo

# Tools of this project's own, in the versions that scripts/install-tools.sh pins.
export PATH := $(CURDIR)/.tools/bin:$(PATH)

# Where release builds are.
RELEASE = $(or $(CARGO_TARGET_DIR),target)/release

# The scenarios again, on the mesh. What is about one process, about processes anyway, or about no process is not.
MESH_SCENARIOS = $(CARGO) test --no-fail-fast -p jumak --test scenarios -- \
  --skip bench:: --skip budget:: --skip canary::secrets --skip kill:: --skip mesh:: --skip model:: --skip serve:: --skip soak:: --skip stock_client:: --skip telemetry::

# The same binaries as those of the workspace's tests, run again on another engine. real_servers runs on both anyhow.
CONTEXTS = $(filter-out services/jumak, $(wildcard services/*))
STORE_TESTS = $(CARGO) test --no-fail-fast --lib -p mesh-store -p mesh-bus -p mesh-checkout -p mesh-testing $(CONTEXTS:services/%=-p %) -- --skip real_servers

# Each workload five times, on the target that is named.
define MEASURE
$(RELEASE)/jumak bench book --duration 15s --repeat 5 $(1)
	$(RELEASE)/jumak bench cancel --duration 15s --repeat 5 $(1)
	$(RELEASE)/jumak bench read --duration 15s --repeat 5 $(1)
endef

.DEFAULT_GOAL := help
.PHONY: help run demo mesh mesh-down build test lint proto bench bench-mesh soak clean

help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## runs everything in one process, on 127.0.0.1:8088
	$(CARGO) run --release -p jumak -- up

demo: ## tells a hotel's story on a system of its own, and checks each line of it
	$(CARGO) run --release -p jumak -- demo hotel

# In one build, so that both are of the same features and what they share is built once.
mesh: ## starts a process per context on real servers, on 127.0.0.1 from port 8090 on (REPLICAS=2: two of each), and leaves them running
	@scripts/install-tools.sh servers
	$(CARGO) build --release -p jumak -p local-mesh
	@$(RELEASE)/local-mesh up

mesh-down: ## stops what `make mesh` has started
	@test -x $(RELEASE)/local-mesh || { echo "no mesh was ever built here; \`make mesh\` starts one"; exit 1; }
	@$(RELEASE)/local-mesh down

build: ## builds the one binary: target/release/jumak
	$(CARGO) build --release -p jumak

# A test that fails says what failed; a backtrace through futures is sixty lines more, and hides the next test's sentence.
test: export RUST_BACKTRACE = 0
test: proto ## installs what tests need, checks the contracts, runs all tests, and those of the stores on each engine
	@scripts/install-tools.sh grpcurl servers
	$(CARGO) test --workspace --no-fail-fast
	JUMAK_TEST_ENGINE=postgres $(STORE_TESTS)
	JUMAK_TEST_ENGINE=mariadb $(STORE_TESTS)
	JUMAK_TEST_SHAPE=mesh $(MESH_SCENARIOS)

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

bench: ## measures bookings, reads and events, beside what the machine can do; takes a quarter of an hour
	$(CARGO) bench -p mesh --bench events
	$(CARGO) build --release -p jumak
	$(call MEASURE,)

soak: ## books for a quarter of an hour, and fails if memory grows meanwhile
	JUMAK_SOAK_S=840 $(CARGO) test --release -p jumak --test scenarios -- soak:: --nocapture

bench-mesh: ## the same on the mesh that `make mesh` has started; to compare with PostgreSQL: ENGINES=postgres make mesh
	$(call MEASURE,--target mesh)

clean: ## removes what was built, and the tools
	$(CARGO) clean
	rm -rf .tools
