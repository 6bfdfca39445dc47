# Every command a person needs. `make` alone lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NAME ?= demo
LIVES ?= 10
SAMPLE ?= sample
PINNED = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
  --no-emit-index-url --no-emit-find-links -c requirements-dev.lock
UNTIMED = GRAYLING_VIRTUAL_TIME=1 GRAYLING_LIVES=$(LIVES) nice
PROCESSES ?= $(shell echo $$(( $$(nproc) + 1 )))# two of them have a cluster each, and wait for it most of the time
TESTBOX ?= test-$(shell printf '%s' "$(CURDIR)" | cksum | cut -d' ' -f1)

.DEFAULT_GOAL := help
.PHONY: help install check format test catalogue coverage unit cluster demo demo-down landscape landscape-down lock generate bench-reaction mutants mutants-sample mutants-by-hand release release-check clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(STAMP) ## create .venv with the locked dependencies

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Grayling needs Python 3.11 or newer; set PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "installing the Debian package python3-venv"; apt-get install -qy python3-venv; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

check: $(STAMP) ## style, types, room walls, docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/interrogate -q components kube manifests rollout sandbox terminal topology grayling.py $(wildcard review)

format: $(STAMP) ## rewrite in the house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(STAMP) ## checks, unit, property and cluster tests (in sandboxes of their own); all but what is marked long
	$(MAKE) --no-print-directory check
	GRAYLING_TEST_BOX=$(TESTBOX) $(BIN)/python -m pytest -n $(PROCESSES) -m "not long" $(PYTEST_ARGS)

catalogue: $(STAMP) ## every system of the catalogue, each with its own processes; long, and longer at first
	GRAYLING_TEST_BOX=$(TESTBOX)-kinds $(BIN)/python -m pytest tests/catalogue $(PYTEST_ARGS)

coverage: $(STAMP) ## which lines the tests without a cluster run
	$(BIN)/python -m pytest -n auto -m "not cluster and not pulumi" --cov --cov-report=term:skip-covered $(PYTEST_ARGS)

unit: $(STAMP) ## tests that need no cluster
	$(BIN)/python -m pytest -n auto -m "not cluster and not pulumi" $(PYTEST_ARGS)

cluster: $(STAMP) ## tests that need a cluster
	GRAYLING_TEST_BOX=$(TESTBOX) $(BIN)/python -m pytest -m "cluster" --ignore=tests/catalogue $(PYTEST_ARGS)

demo: $(STAMP) ## a real Kubernetes, real middleware, a good release promoted, a bad one taken back
	$(BIN)/python examples/demo.py --name $(NAME)

demo-down: $(STAMP) ## remove what `make demo` left running
	$(BIN)/grayling sandbox down --purge --name $(NAME)

landscape: $(STAMP) ## an integration landscape: brokers, adapter, gateway with tokens, telemetry; an order followed through it
	$(BIN)/python examples/landscape.py --name $(if $(filter demo,$(NAME)),landscape,$(NAME))

landscape-down: $(STAMP) ## remove what `make landscape` left running
	$(BIN)/grayling sandbox down --purge --name $(if $(filter demo,$(NAME)),landscape,$(NAME))

bench-reaction: $(STAMP) ## how fast a bad version goes; writes bench/results
	$(BIN)/python bench/reaction.py

mutants: $(STAMP) ## change the engine in thousands of small ways and count what the tests see; goes on where it was stopped
	$(UNTIMED) $(BIN)/mutmut run $(if $(MUTANTS),$(addsuffix .*,$(MUTANTS)))
	$(BIN)/mutmut results

mutants-sample: $(STAMP) ## the same for twenty mutants of each module, those that were not tried yet; and the table
	$(UNTIMED) $(BIN)/mutmut run 'rollout.decide.transitions.*'
	$(UNTIMED) $(BIN)/python bench/mutants.py try $(SAMPLE)
	$(BIN)/python bench/mutants.py table

mutants-by-hand: $(STAMP) ## put faults back that the engine once had; each must fail the tests it names
	$(BIN)/python -m tests.mutants.by_hand

generate: $(STAMP) ## write what is generated from the models
	$(BIN)/python -m rollout crd grayreleases > manifests/crds/grayreleases.yaml
	$(BIN)/python -m rollout crd approvals > manifests/crds/approvals.yaml
	$(BIN)/python -m topology crd > manifests/crds/topologies.yaml
	$(BIN)/python -m rollout crd policy > manifests/policies/approvals.yaml
	$(BIN)/python -m rollout record --schema > docs/reference/record.schema.json
	$(BIN)/python -m review.reports.document > docs/reference/review.schema.json
	$(BIN)/grayling review risks -o markdown > docs/reference/risks.md
	$(BIN)/grayling stack kinds -o markdown > docs/reference/kinds.md
	$(BIN)/python -m components.deploy.installation

release: $(STAMP) ## every file of a release, in OUT: wheel, chart, manifests, plugin, bill of materials, checksums
	$(BIN)/python packaging/release.py all --out "$(or $(OUT),dist)" --image "$(IMAGE)" --url "$(URL)"

release-check: $(STAMP)
	$(BIN)/python packaging/release.py check "$(TAG)"

lock: $(STAMP) ## pin every dependency again, with hashes and without naming a registry
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --group dev pyproject.toml -o requirements-dev.lock
	$(PINNED) --group pyproject.toml:engine --group pyproject.toml:systems --group pyproject.toml:examples -o requirements.lock
	$(PINNED) --group pyproject.toml:engine --group pyproject.toml:systems -o requirements-engine.lock
	$(PINNED) --group pyproject.toml:plugin -o requirements-plugin.lock

clean: ## remove what can be made again
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* htmlcov
