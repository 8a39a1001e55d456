# Three commands matter: `make demo`, `make drills` and `make test`. Everything that is built or downloaded goes to the cache
# folder, nothing into the checkout.

SHELL := /bin/bash
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/monctl
export CARGO_TARGET_DIR ?= $(CACHE)/target
export PATH := $(CACHE)/tools/usr/bin:$(PATH):$(HOME)/.cargo/bin

.PHONY: help demo drills test lint bench build prerequisites tools

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: prerequisites ## two machines, an application, a proven alert; then everything is removed (needs root)
	@$(MAKE) --no-print-directory build
	@scripts/demo.sh $(CARGO_TARGET_DIR)/debug/monctl demo

drills: prerequisites ## the same with every alert that can be caused without harm (needs root)
	@$(MAKE) --no-print-directory build
	@scripts/demo.sh $(CARGO_TARGET_DIR)/debug/monctl drills

build: ## monctl without the AWS provider
	cargo build --locked --no-default-features

test: tools ## everything, on real machines too where this is root
	@scripts/test.sh

lint: tools ## formatting, clippy with and without default features, shellcheck
	@scripts/lint.sh

bench: prerequisites tools ## figures beside their yardsticks (needs root)
	@$(MAKE) --no-print-directory release
	@bench/run.py $(CARGO_TARGET_DIR)/release/monctl
	@bench/request_cost/run.sh
	@bench/panels.sh

.PHONY: release
release:
	cargo build --locked --release --no-default-features

prerequisites: ## what the demo needs, installed where it is missing
	@scripts/prerequisites.sh demo

tools: ## what the tests need, installed where it is missing
	@scripts/prerequisites.sh test
