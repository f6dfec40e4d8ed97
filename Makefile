# phototriage: what a user and a developer type. Every environment is made here and lives in this folder; nothing
# outside it is touched.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run demo training bulk test system lint bench lock audit clean
unexport PYTHONPATH

RUN := .venv/bin
TEST := .venv-test/bin
DAEMON := .venv-test-daemon/bin
# Most tests wait for disks and processes: some at once. Those of one file share what they make, and stay together.
# As they are named, not those with many tests first: one that trains for a minute must not be the last to begin.
PYTEST := -m pytest -q --numprocesses 3 --dist loadfile --no-loadscope-reorder

help: ## show this
	@echo "phototriage: drop photos into a folder, each is filed under its class"
	@echo
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

run: ## sort what is dropped into ./inbox into ./sorted, until Ctrl-C
	@requirements/venv.sh .venv auto
	@mkdir -p inbox
	@$(RUN)/phototriage watch --inbox ./inbox --output ./sorted

demo: ## watch the daemon file drawn pictures; ends by itself
	@requirements/venv.sh .venv auto
	@$(RUN)/phototriage demo

training: ## make .venv-train, where `phototriage train` and `convert` have what they need
	@requirements/venv.sh .venv-train auto-train
	@echo "Ready: .venv-train/bin/phototriage train DATASET --output RUN"

bulk: ## make .venv-bulk, where `phototriage bulk` has what it needs
	@requirements/venv.sh .venv-bulk bulk
	@echo "Ready: .venv-bulk/bin/phototriage bulk plan PHOTOS --output PLAN"

test: lint ## check everything: lint, types, import fences, all tests
	@requirements/venv.sh .venv-test-daemon test-daemon
	@echo "== the contract, the daemon, bulk and collect, in an environment without TensorFlow"
	@! $(DAEMON)/python -c 'import tensorflow' 2>/dev/null || { echo "TensorFlow is in .venv-test-daemon"; exit 1; }
	@$(DAEMON)/python $(PYTEST) tests/contract tests/daemon tests/bulk tests/collect tests/benchmarks
	@echo "== training, convert, learn and the house, and that the daemon loads nothing of them where they are installed"
	@$(TEST)/python $(PYTEST) tests/house tests/training tests/convert tests/learn tests/daemon/test_bad_input.py tests/daemon/service/test_auto_learn.py tests/benchmarks/test_notebook.py tests/benchmarks/test_learn.py tests/benchmarks/test_day.py

system: ## test bulk with Ray and with an S3 server on this machine, which make test leaves out
	@requirements/venv.sh .venv-system system
	@.venv-system/bin/python $(PYTEST) tests/bulk

lint: ## check style, types and import fences
	@requirements/venv.sh .venv-test test
	@echo "== style, types, import fences"
	@$(TEST)/ruff check --quiet .
	@$(TEST)/ruff format --quiet --check . || { echo "mend with: $(TEST)/ruff format ."; exit 1; }
	@$(TEST)/mypy
	@fences=$$($(TEST)/lint-imports --no-logo) || { echo "$$fences"; exit 1; }

bench: ## measure this machine in a few minutes, and draw docs/throughput.svg (docs/benchmarks.md)
	@requirements/venv.sh .venv-test test
	@for part in startup idle latency scale export; do \
	  echo "== $$part"; $(TEST)/python -m benchmarks.$$part --short || exit 1; \
	done
	@echo "== throughput"
	@$(TEST)/python -m benchmarks.throughput --short --chart docs/throughput.svg

lock: ## write the lock files in requirements/ (newest versions: make lock UPGRADE=--upgrade)
	@requirements/venv.sh .venv-test test
	@requirements/lock.sh $(TEST)/uv $(UPGRADE)

audit: ## ask pypi.org for known vulnerabilities of the locked packages (needs the network; no part of make test)
	@requirements/venv.sh .venv-test test
	@requirements/audit.sh $(TEST)/uv

clean: ## remove environments, caches and builds; photos stay
	rm -rf .venv .venv-train .venv-bulk .venv-system .venv-test .venv-test-daemon build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
