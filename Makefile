# Everything runs in .venv, which the first target makes. The lake is $(DATALAKE_ROOT), by default ./lake.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3.11
export DATALAKE_ROOT := $(or $(DATALAKE_ROOT),$(CURDIR)/lake)
export PATH := $(CURDIR)/.venv/bin:$(PATH)

export SQL

# Where it is set, each run of dbt compiles what it imports anew: two seconds.
unexport PYTHONDONTWRITEBYTECODE

KILLED := tests/python/test_killed_runs.py
BROKEN := $(KILLED) tests/python/test_replay.py
LATER := $(addprefix tests/python/test_,chain.py two_builds.py unit_tests.py)
SERVED := $(addprefix tests/athena_bench/test_,fixture.py engine.py)
ENGINE := $(addprefix tests/athena_bench/test_,queries.py query_api.py callers.py accepted.py refused.py)
READY := .venv/.ready
SQL_LINTED := target/.sql_linted
BENCH_READY := .venv-bench/.ready

.PHONY: help build dist features test test-fast soak bench lint format docs query clean lock browser athena test-local test-broken test-athena test-terraform test-dbt-athena

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

build: $(READY) ## Land the example data, check it, build and test every model
	@datalake example
	@datalake check
	@echo 'dbt build: every model, then its tests ...'
	@dbt build --exclude-resource-type unit_test --quiet
	@datalake summary

# By default each thread's allocations are kept apart, and the servers of the tests have many threads.
test: export MALLOC_ARENA_MAX := 2
test: $(READY) browser ## Run every test, and check style and types
	@$(MAKE) --no-print-directory --jobs 3 --keep-going --output-sync=target test-athena test-local test-terraform test-broken lint

# Tests start makes of their own, which are no part of this one.
test-local: $(READY) # Those without a local Athena, but for some that other parts have, so that all end together
	MAKEFLAGS= pytest tests/python tests/athena_bench $(BROKEN:%=--ignore %) $(LATER:%=--ignore %) $(SERVED:%=--ignore %) $(ENGINE:%=--ignore %)

test-broken: $(READY) # Runs that are killed, or read files again
	MAKEFLAGS= pytest $(BROKEN)

test-athena: $(READY) # Those that start a local Athena of their own, those that share one, then some of the others
	MAKEFLAGS= pytest $(SERVED) $(ENGINE) tests/athena $(LATER)

test-terraform: $(READY) ## Run the tests of the infrastructure: valid, mocked, planned, and applied on the local AWS
	MAKEFLAGS= pytest tests/terraform

test-fast: $(READY) ## Run the tests that need no browser and no full build
	pytest -m "not server"

test-dbt-athena: $(READY) ## Run dbt-athena's own functional suite on the local Athena (15 minutes)
	python tests/dbt_athena/run.py -n 2 --dist loadfile

soak: $(READY) ## Run the random tests long: 5,000 dirty folders, 1,000 kills, 500 change logs
	pytest tests/python/test_nothing_lost.py --folders 5000 --seed $(or $(SEED),$$RANDOM)
	pytest tests/python/test_change_log.py --histories 500 --seed $(or $(SEED),$$RANDOM)
	pytest $(KILLED) --kills 1000 --seed $(or $(SEED),$$RANDOM)

bench: $(READY) $(BENCH_READY) ## Measure the models against other ways, see docs/benchmarks.md
	python benchmarks/run.py

lint: $(READY) $(SQL_LINTED) ## Check style and types
	ruff check
	ruff format --check
	mypy
	yamllint --strict .

# ruff and mypy remember by themselves what they found sound. A folder is newer than its linting once a file is gone.
$(SQL_LINTED): $(READY) tests/lint_sql.sh $(wildcard .sqlfluff*) dbt_project.yml $(shell find models tests/*.sql analyses macros seeds)
	tests/lint_sql.sh
	@mkdir -p $(@D) && touch $@

features: $(READY) ## Write the page of what the local Athena does, from its tests
	PYTHONPATH=tests/athena_bench python tests/athena_bench/features.py

format: $(READY) ## Put Python and SQL in shape
	ruff format
	ruff check --fix
	tests/lint_sql.sh fix

docs: $(READY) ## Make the lineage site in site/
	@test "$(or $(DATALAKE_TARGET),local)" != local -o -e "$(DATALAKE_ROOT)/lake.duckdb" || { echo "There is no lake in $(DATALAKE_ROOT) yet: run make build." >&2; exit 1; }
	@dbt docs generate --quiet
	@DBT_COLIBRI_NO_VERSION_CHECK=1 colibri generate --output-dir site --disable-telemetry > target/colibri.log \
		|| { cat target/colibri.log >&2; exit 1; }
	@! grep ERROR target/colibri.log >&2
	@echo "The lineage of every column: file://$(CURDIR)/site/index.html?model=model.datalake.daily_sales&column=revenue&parents=all"

athena: $(READY) ## Hold a local Athena open, see docs/athena.md
	@athena-bench serve --bucket company-datalake-ci --workgroup datalake-dbt --workgroup analytics-team

query: $(READY) ## Ask the lake: make query SQL="select * from analytics_db.daily_sales"
	@test -n "$$SQL" || { echo 'Say what to ask: make query SQL="select * from analytics_db.daily_sales"' >&2; exit 2; }
	@datalake query "$$SQL"

dist: $(READY) ## Build what the infrastructure deploys: wheel, requirements, dbt project, Lambda functions
	@datalake dist dist

clean: ## Remove the folders lake/ and dist/, the site and what dbt made
	rm -rf lake dist site target logs

lock: $(READY) ## Renew requirements.lock after a change of pyproject.toml
	uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade --quiet -o requirements.lock

browser: # Debian's Chromium, for the test of the lineage page
	@command -v chromium chromedriver > /dev/null || (apt-get update -qq && apt-get install -y -qq chromium chromium-driver) \
		|| { echo "make test needs chromium and chromedriver; install them with your package manager." >&2; exit 1; }

$(BENCH_READY): benchmarks/requirements.lock $(READY)
	$(PYTHON) -m venv --without-pip .venv-bench
	VIRTUAL_ENV=.venv-bench .venv/bin/uv pip sync --quiet --require-hashes benchmarks/requirements.lock
	touch $@

$(READY): requirements.lock pyproject.toml profiles.yml.example
	@command -v $(PYTHON) > /dev/null || { \
		echo "This project needs Python 3.11, and there is no $(PYTHON) on the PATH. Install it, or name it: make build PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
		echo "This project needs Python 3.11, and $(PYTHON) is $$($(PYTHON) --version). Name another: make build PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check "uv==$$(sed -n 's/^uv==\([^ ]*\).*/\1/p' requirements.lock)"
	VIRTUAL_ENV=.venv .venv/bin/uv pip sync --quiet --require-hashes requirements.lock
	VIRTUAL_ENV=.venv .venv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
	test -e profiles.yml || cp profiles.yml.example profiles.yml
	touch $@

include ci.mk
