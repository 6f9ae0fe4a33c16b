# What ships the project. The workflows in .github/workflows/ call these targets and nothing else, and a person may too,
# see docs/ci.md. DATALAKE_TARGET, DATALAKE_BUCKET and AWS_REGION say where; without them it is the local lake.
export PULL_REQUEST SHOWN_PLAN

SELECT := state:modified+
STACK := terraform/aws/data-lake
STATE := target/main
DEPLOYED := target/deployed
SITE := site
EXAMPLE_WORKFLOW := src/athena_bench/github-actions.yml
LINT_READY := .venv-ci/.ready
CHECKOV_READY := .venv-checkov/.ready
STACK_LINTED := target/.stack_linted

.PHONY: lint-workflows lint-terraform slim-build slim-drop terraform-plan terraform-apply terraform-grant deploy-build \
	publish-state publish-site nightly freshness recount maintain alerts

lint: lint-workflows lint-terraform

lint-workflows: $(LINT_READY) ## Check the workflows with actionlint and zizmor
	.venv-ci/bin/actionlint -shellcheck= -pyflakes=
	.venv-ci/bin/actionlint -shellcheck= -pyflakes= $(EXAMPLE_WORKFLOW)
	.venv-ci/bin/zizmor --offline --quiet --no-progress --persona pedantic .github $(EXAMPLE_WORKFLOW)

lint-terraform: $(STACK_LINTED) ## Check the stack's security with checkov

$(STACK_LINTED): $(CHECKOV_READY) $(shell find terraform)
	@mkdir -p $(@D)
	.venv-checkov/bin/checkov --directory $(STACK) --framework terraform --quiet --compact \
		--skip-download --download-external-modules false | tee target/checkov.txt
	@! grep -i 'parsing errors' target/checkov.txt > /dev/null
	@touch $@

slim-build slim-drop: export DATALAKE_TARGET := ci
slim-build: export DATALAKE_PULL_REQUEST = $(PULL_REQUEST)

slim-build: slim-drop ## Build what a pull request changes into the database pr_12: make slim-build PULL_REQUEST=12
	@datalake state fetch "$(STATE)"
	@dbt build --target pull_request --select "$(SELECT)" --defer --state "$(STATE)" --exclude-resource-type unit_test

slim-drop: $(READY) ## Drop the database of a pull request and its files: make slim-drop PULL_REQUEST=12
	@test -n "$$PULL_REQUEST" || { echo "Say which pull request: make $(MAKECMDGOALS) PULL_REQUEST=12" >&2; exit 2; }
	@datalake pull-request drop "$$PULL_REQUEST"

terraform-plan: dist ## Show what Terraform would change, and keep the plan
	@terraform/ship.sh plan "$(STACK)"

terraform-apply: dist ## Make what the plan shows: the one that was kept, or one that is as SHOWN_PLAN says
	@terraform/ship.sh apply "$(STACK)"

terraform-grant: $(READY) ## Grant on the tables, once dbt has built them
	@terraform/ship.sh grant "$(STACK)"

deploy-build: $(READY) ## Enter new files, build and test every model
	@datalake check
	@dbt build --exclude-resource-type unit_test --target-path $(DEPLOYED)

publish-state: $(READY) ## Keep what deploy-build wrote in the lake, for slim builds to compare with
	@datalake state publish $(DEPLOYED)

publish-site: $(READY) ## Put the site that make docs made into the lake
	@datalake site publish "$(SITE)"

nightly: ## Do what is for the night, all of it, even where something fails
	@$(MAKE) --no-print-directory --keep-going freshness recount maintain alerts

freshness: $(READY) ## Is the newest file of each source recent enough
	@dbt source freshness

recount: $(READY) ## Count everything anew: was a row lost that no run touched?
	@dbt build --full-refresh --select order_tallies repeated_orders quality_results reconciliation \
		--exclude-resource-type unit_test

maintain: $(READY) ## Rewrite small files on Athena and remove old snapshots, when no build runs
	@dbt run-operation maintain_tables

alerts: $(READY) ## Is anything on AWS too slow, too dear or failing
	@datalake monitor

$(LINT_READY): $(addprefix .github/lint/,requirements.lock go.mod go.sum) $(READY)
	$(PYTHON) -m venv --without-pip .venv-ci
	VIRTUAL_ENV=.venv-ci .venv/bin/uv pip sync --quiet --require-hashes .github/lint/requirements.lock
	PATH="$(CURDIR)/.venv-ci/bin:$$PATH" GOTOOLCHAIN=local go build -C .github/lint -mod=readonly -o $(CURDIR)/.venv-ci/bin/actionlint \
		github.com/rhysd/actionlint/cmd/actionlint
	touch $@

$(CHECKOV_READY): terraform/lint/requirements.lock $(READY)
	$(PYTHON) -m venv --without-pip .venv-checkov
	VIRTUAL_ENV=.venv-checkov .venv/bin/uv pip sync --quiet --require-hashes --only-binary :all: terraform/lint/requirements.lock
	touch $@
