# The front door; Meson and Ninja do the work. `make` builds build/selvedge.
#
#   build        the program                     check        everything a change must pass
#   demo         a machine with real Workers     check-quick  build, unit tests, fast lint
#   asan, tsan   the tests under a sanitizer     fuzz         each fuzz target for FUZZ_SECONDS
#   lint, fmt    house rules, formatting         bench        measurements, see bench/
#   power        power cuts under the durable log, POWER_SEEDS seeds
#   docs         generated pages of docs/        setup        Debian and npm packages
#
# BENCH names what `make bench` measures (all when empty).
# BUILD chooses the build folder, JOBS the parallel jobs, MESON_ARGS further options of Meson.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

BUILD ?= build
JOBS ?= $(shell nproc)
MESON_ARGS ?=
FUZZ_SECONDS ?= 30
POWER_SEEDS ?= 50000
# wrangler needs a newer Node than Debian's; this one comes with the npm packages.
NODE := $(CURDIR)/node_modules/.bin/node
export SELVEDGE_BIN = $(CURDIR)/$(BUILD)/selvedge

.PHONY: build demo check check-quick asan tsan fuzz lint lint-fast fmt bench docs setup clean
.PHONY: power compile unit test-js test-e2e test-lanes test-compat sim

build: setup compile

setup:
	@tools/setup

compile: | $(BUILD)/build.ninja
	@ninja -C $(BUILD) -j $(JOBS)

$(BUILD)/build.ninja:
	meson setup $(BUILD) $(MESON_ARGS)

check: build lint unit test-js test-e2e test-lanes test-compat

check-quick: build lint-fast unit test-js

# The fuzz corpora run as unit tests (test/fuzz/meson.build).
unit: compile
	meson test -C $(BUILD) --no-rebuild --print-errorlogs --num-processes $(JOBS)

# Seeds of the simulation; `make unit` runs some of them. See test/sim/README.md.
sim: SEEDS ?= 20000
sim: compile
	$(BUILD)/test/sim/sim_test seeds 1 $(SEEDS)

test-js:
	$(NODE) --test --test-reporter=dot 'test/js/**/*.test.mjs'

test-e2e: compile
	$(NODE) --test --test-concurrency=$(JOBS) 'test/e2e/**/*.test.mjs'

# What depends on where an object, a cache or a clock is, once more with four lanes.
LANES_TESTS = cache cron durable gateway hibernation ratelimit
test-lanes: compile
	SELVEDGE_LANES=4 $(NODE) --test --test-concurrency=$(JOBS) $(LANES_TESTS:%=test/e2e/%.test.mjs)

# The same Workers on workerd and here; see test/compat/README.md.
test-compat: compile
	$(NODE) --test --test-reporter=dot test/compat/run.mjs

# JavaScriptCore handles SIGSEGV itself (WebAssembly bounds) and keeps memory until exit.
asan: export ASAN_OPTIONS = handle_segv=0:allow_user_segv_handler=1:detect_leaks=0
asan: export SELVEDGE_TEST_CONFIG = $(CURDIR)/test/e2e/lib/asan.jsonc
asan: export UBSAN_OPTIONS = print_stacktrace=1:halt_on_error=1
asan: setup
	@$(MAKE) compile unit test-e2e test-compat BUILD=build-asan \
	    MESON_ARGS="-Db_sanitize=address,undefined -Db_lundef=false"

# The engine's own threads are not instrumented, so only the unit tests run here.
tsan: setup
	@$(MAKE) compile unit BUILD=build-tsan MESON_ARGS="-Db_sanitize=thread -Db_lundef=false"

fuzz: setup
	@CC=clang $(MAKE) compile BUILD=build-fuzz MESON_ARGS="-Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false"
	@tools/fuzz build-fuzz $(FUZZ_SECONDS)

power: compile
	$(BUILD)/test/unit/store/power_test $(POWER_SEEDS)

lint: setup
	@tools/lint

lint-fast: setup
	@tools/lint --fast

fmt: setup
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs -r clang-format -i

demo: build
	@$(NODE) tools/demo.mjs

bench: build
	@tools/setup --bench
	@$(NODE) bench/run.mjs $(BENCH)

docs: build
	@tools/docs
	@tools/compat-docs

clean:
	rm -rf build build-asan build-tsan build-fuzz
