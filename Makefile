# Every target sets itself up. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
ROWS ?= 100000 1000000
MARKS := $(if $(CI),,-m "not slow")
# CI looks at the Airflow part too; by hand, whoever has no Airflow set up goes without it.
SETUP := $(if $(CI),setup-airflow,setup)
WITHOUT_AIRFLOW := src transforms bench tests docs --exclude '^(src/oncoweave/airflow|tests/airflow)/'

.DEFAULT_GOAL := help
.PHONY: help setup setup-airflow airflow airflow-demo demo test lint format types imports check faults bench bench-vocab bench-synthea bench-fhir bench-fhir-in bench-quality schema reference messages requirements wheel lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv with the locked dependencies (instant when nothing changed)
	@$(PYTHON) .ci/bootstrap

setup-airflow: ## the same with Airflow in it; a later `make setup` keeps it
	@$(PYTHON) .ci/bootstrap --airflow

demo: setup ## harmonise three real cohorts, from raw file to published release
	@$(BIN)/oncoweave demo --project .

airflow: setup-airflow ## a complete local Airflow with the demo sources in it (AIRFLOW_PORT=…; Ctrl-C stops it)
	@$(BIN)/python -m oncoweave.airflow.local --project .

airflow-demo: setup-airflow ## trigger a source in an Airflow of its own, approve by REST, wait for the release (SOURCE=gbsg)
	@$(BIN)/python -m oncoweave.airflow.demonstration --project . $(or $(SOURCE),gbsg)

test: $(SETUP) ## run the tests (with CI=true: the slow ones too)
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(MARKS) $(ARGS)

lint: setup ## lint, and see that the code is formatted
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: setup ## format the code and mend what the linter can mend
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

types: $(SETUP) ## check the types
	@if test -x $(BIN)/airflow; then $(BIN)/mypy; else $(BIN)/mypy $(WITHOUT_AIRFLOW); fi

imports: setup ## check that imports point one way
	@$(BIN)/lint-imports

check: lint types imports test ## everything that CI checks

faults: setup ## kill a run at every one of its file calls (half an hour; CI takes every third)
	@CI=true ONCOWEAVE_FAULTS=every $(BIN)/python -m pytest tests/faults

bench: setup ## measure extract and map against a bare copy (ROWS="100000 1000000")
	@$(BIN)/python -m bench --rows $(ROWS)

bench-vocab: setup ## measure loading and resolving a vocabulary (SCALE=1 is a full Athena download)
	@$(BIN)/python -m bench.vocabulary --scale $(or $(SCALE),0.01)

bench-synthea: setup ## measure OMOP rows per CPU-second on replicated Synthea patients (COPIES="1 100", DELIVERY=folder)
	@$(BIN)/python -m bench.synthea $(DELIVERY) --copies $(or $(COPIES),1 100)

bench-fhir: setup ## measure FHIR resources per CPU-second against fhir.resources (TIMES=26: ten million resources)
	@$(BIN)/python -m bench.fhir --copies $(or $(COPIES),100) --times $(or $(TIMES),1)

bench-fhir-in: setup ## measure the resources of FHIR that a CPU-second reads (BUNDLES=folder, COPIES=20)
	@$(BIN)/python -m bench.fhir_in $(BUNDLES) --copies $(or $(COPIES),20)

bench-quality: setup ## measure the checks of a registry's run (PATIENTS="100 1000000", CHECKS=4000)
	@$(BIN)/python -m bench.quality --patients $(or $(PATIENTS),100 1000000) --checks $(or $(CHECKS),0)

schema: setup ## write the JSON Schemas that editors use into .schema/
	@$(BIN)/oncoweave schema

reference: setup ## write docs/mapping-language.md, docs/fhir_omop_conformance.md and docs/checks anew from the code
	@$(BIN)/python docs/reference.py
	@$(BIN)/python docs/fhir_omop.py
	@$(BIN)/python docs/check_pages.py
	@$(BIN)/python docs/eu_cancer_omop.py

messages: setup ## bring the message catalogues of the pages in step with the code
	@$(BIN)/python docs/messages.py

requirements: setup ## write requirements.txt, the locked and hashed list for users of pip
	@$(PYTHON) .ci/bootstrap --uv export --frozen --quiet --no-dev --no-emit-project --output-file requirements.txt

wheel: setup ## build the wheel into dist/
	@$(PYTHON) .ci/bootstrap --uv build --quiet --wheel --out-dir dist

lock: ## bring uv.lock in step with pyproject.toml
	@$(PYTHON) .ci/bootstrap --uv lock

clean: ## remove the environment, caches and builds (never runs, releases or keys)
	@rm -rf .venv .uv dist build .schema .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
