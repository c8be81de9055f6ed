# Commands of the project. `make up` takes WEB_PORT, API_PORT, DB_PORT, LOCAL_DIR and POSTGRES_PASSWORD from the
# environment or the command line (make up DB_PORT=5433). See .env.example for the other variables.
PYTHON ?= python3
RUN = .venv/bin/python
PYTEST = $(PYTHON) local/bootstrap.py dev -m pytest
# Processes that share the unit and integration tests, each test file in one of them. CI takes 3: many tests mostly wait.
PROCESSES ?= 2
SPREAD = --dist loadfile --no-loadscope-reorder -n
# These tests measure times, so they run alone.
MEASURED = $(patsubst %,tests/resilience/test_%.py,hostile_cost model_faults postgres_faults service_faults)
run_tests = $(if $(TESTS),exec $(PYTEST) $(1) $(TESTS),status=0; \
	$(PYTEST) $(1) $(SPREAD) $(PROCESSES) tests/unit tests/integration tests/resilience $(addprefix --ignore=,$(MEASURED)) || status=$$?; \
	$(if $(findstring not,$(1)),,$(PYTEST) $(1) $(MEASURED) || status=$$?;) \
	$(PYTEST) $(1) $(SPREAD) 2 tests/e2e || status=$$?; exit $$status)
COMPILE = .venv/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help up down monitoring dashboards backup restore check-data test test-slow test-all test-faults soak soak-pipeline test-compose lint references robustness bench bench-full bench-data bench-log bench-pages bench-score bench-drift bench-monitor bench-protocols pictures train reproduce publish convert load retrain runs rollback worker secrets client sbom audit lock import-runs bench-tracking bundle smoke lint-deploy export

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS='	' read -r target what; do printf '  make %-13s %s\n' "$$target" "$$what"; done

up:  ## install and start everything, and print the addresses; Ctrl-C stops it
	@exec $(PYTHON) local/bootstrap.py up -m local up

down:  ## stop a running `make up` and the leftovers of a crash
	@if [ -x $(RUN) ]; then exec $(RUN) -m local down; else echo "Nothing is running: .venv is missing"; fi

monitoring:  ## run the installed Prometheus and Alertmanager beside a running `make up`; Ctrl-C stops both
	@exec $(PYTHON) local/bootstrap.py up -m local monitoring

dashboards:  ## build the Grafana dashboards in observability/grafana from code
	@exec $(PYTHON) local/bootstrap.py dev -m observability.dashboards

backup:  ## back up the stack to FILE=mlops.tar (or .tar.gz), also while it runs; COMPOSE=1 for docker compose
	@exec $(PYTHON) $(if $(COMPOSE),,local/bootstrap.py up) -m local.backup create $(if $(FILE),"$(FILE)") $(if $(COMPOSE),--compose)

restore:  ## restore FILE=mlops.tar into an empty stack that is stopped; REPLACE=1 replaces its content, COMPOSE=1 as for backup
	@$(if $(FILE),,echo "usage: make restore FILE=mlops.tar [REPLACE=1] [COMPOSE=1]" >&2; exit 2;) \
	exec $(PYTHON) $(if $(COMPOSE),,local/bootstrap.py up) -m local.backup restore "$(FILE)" $(if $(REPLACE),--replace) $(if $(COMPOSE),--compose)

export:  ## OUT=directory|s3://bucket/prefix [SINCE=2026-11-01] [UNTIL=2026-11-30] [PIXELS=1] [COMPOSE=1]: predictions, events, labels and experiments as Parquet by day
	@$(if $(OUT),,echo "usage: make export OUT=directory|s3://bucket/prefix [SINCE=2026-11-01] [UNTIL=2026-11-30] [PIXELS=1] [COMPOSE=1]" >&2; exit 2;) \
	exec $(PYTHON) $(if $(COMPOSE),,local/bootstrap.py up) -m local.export "$(OUT)" $(if $(SINCE),--since "$(SINCE)") \
		$(if $(UNTIL),--until "$(UNTIL)") $(if $(filter-out 0,$(PIXELS)),--pixels) $(if $(COMPOSE),--compose)

check-data:  ## validate FILE=more.csv without importing it; without FILE, all imported files
	@exec $(PYTHON) local/bootstrap.py up -m db.validate $(if $(FILE),"$(FILE)")

import-runs:  ## FROM=http://localhost:5000 [EXPERIMENT=mnist] [TASK=mnist] [OUT=name] [REPLACE=1]: past runs of MLflow, TensorBoard or W&B to data.d
	@$(if $(FROM),,echo "usage: make import-runs FROM=http://localhost:5000|mlruns|mlflow.db|logs|runs.csv [EXPERIMENT=mnist] [TASK=mnist] [OUT=name] [REPLACE=1]" >&2; exit 2;) \
	exec $(PYTHON) local/bootstrap.py up -m run_import "$(FROM)" $(if $(EXPERIMENT),--experiment "$(EXPERIMENT)") \
		$(if $(TASK),--task "$(TASK)") $(if $(OUT),--out "$(OUT)") $(if $(filter-out 0,$(REPLACE)),--replace)

test:  ## the fast suite: unit, integration (real Postgres), main paths in a real browser; TESTS=tests/unit for a subset
	@$(call run_tests,-m "not slow")

test-slow:  ## the rest: hostile files, fuzzing, load, short fault injection, Keras parity, every page in detail
	@$(call run_tests,-m slow)

test-all:  ## `make test` and `make test-slow` in one, which takes less time than both
	@$(call run_tests)

test-faults:  ## all fault injection tests with their measurements, in twenty minutes; `make test-slow` runs a short form
	@FAULTS=full exec $(PYTHON) local/bootstrap.py dev -m pytest -s tests/resilience \
		tests/integration/database/test_import_files.py::test_killed_set_ups_converge \
		tests/integration/prediction_log/test_prediction_log.py::test_predictions_are_stored_once_after_all_failures

soak:  ## MINUTES=10 of load with random faults; checks responses, rows and memory; SEED=1 repeats the same faults
	@exec $(PYTHON) local/bootstrap.py dev -m tests.resilience.soak $(or $(MINUTES),10) $(SEED)

soak-pipeline:  ## MINUTES=10 of the learning loop with workers, Postgres and the service killed and frozen at random; SEED=1 as above
	@exec $(PYTHON) local/bootstrap.py dev -m tests.resilience.pipeline_soak $(or $(MINUTES),10) $(SEED)

test-compose:  ## build, start and test the compose stack; needs a Docker engine
	@exec $(PYTEST) $(SPREAD) 2 $(or $(TESTS),tests/containers)

lint:  ## ruff, mypy --strict and the import rules
	@$(PYTHON) local/bootstrap.py dev && $(RUN) -m ruff check . && $(RUN) -m ruff format --check . \
		&& $(RUN) -m mypy --strict . && .venv/bin/lint-imports

bench:  ## measure all performance goals in seven minutes and update doc/performance.md; needs wrk
	@exec $(PYTHON) local/bootstrap.py bench -m bench

bench-full:  ## like bench, with more and longer rounds
	@exec $(PYTHON) local/bootstrap.py bench -m bench --full

bench-data:  ## measure SQL and API queries with a million predictions and five million events, in five minutes
	@exec $(PYTHON) local/bootstrap.py bench -m bench.queries

bench-log:  ## measure bytes and CPU time of the prediction log and its export, in four minutes
	@exec $(PYTHON) local/bootstrap.py dev -m bench.prediction_log

bench-pages:  ## measure the dashboard's response times with 10,000 experiments of 1,000 steps, in three minutes
	@exec $(PYTHON) local/bootstrap.py dev -m bench.dashboard

bench-score:  ## measure bulk scoring in one process and on two Dask workers, in two minutes; MNIST_PATH=mnist.npz
	@exec $(PYTHON) local/bootstrap.py dev -m bench.scoring

bench-drift:  ## measure delays and false alarms of the drift detector, in three minutes; MNIST_PATH=mnist.npz
	@exec $(PYTHON) local/bootstrap.py dev -m bench.drift

bench-monitor:  ## check the monitor of a running stack with MNIST's test digits, in fifteen minutes; MNIST_PATH=mnist.npz
	@exec $(PYTHON) local/bootstrap.py dev -m tests.resilience.monitor_bench $(IMAGES)

bench-protocols:  ## measure the serving protocols, and MLServer and KServe with the same model, in four minutes; needs wrk
	@exec $(PYTHON) local/bootstrap.py dev -m bench.protocols $(OPTIONS)

bench-tracking:  ## measure predictions beside 20 runs that log 1,000 points a second
	@exec $(PYTHON) local/bootstrap.py dev -m bench.tracking $(OPTIONS)

pictures:  ## create the screenshots and the animation of doc/ from a running stack
	@$(PYTHON) local/bootstrap.py dev -m doc.pictures && $(RUN) -m doc.demo

train:  ## train the shipped experiments; writes models/ and data.csv
	@exec $(PYTHON) local/bootstrap.py dev -m training.train

reproduce:  ## NAME=experiment [VERSION=N] [DATA=dataset.npz]: train a published model again and compare the digests of model.tflite
	@$(if $(NAME),,echo "usage: make reproduce NAME=experiment [VERSION=N] [DATA=dataset.npz]" >&2; exit 2;) \
	exec $(PYTHON) local/bootstrap.py dev -m pipeline.training.reproduce "$(NAME)" $(if $(VERSION),--version "$(VERSION)") $(if $(DATA),--data "$(DATA)")

publish:  ## FILE=model.keras NAME=experiment [CARD=card.json] [FORCE=1]: publish the next version of a model in MODELS_DIR (models) or MODELS_URL
	@$(if $(and $(FILE),$(NAME)),,echo "usage: make publish FILE=model.keras NAME=experiment [CARD=card.json] [FORCE=1]" >&2; exit 2;) \
	exec $(PYTHON) local/bootstrap.py up -m inference publish "$(FILE)" "$(NAME)" $(if $(CARD),--card "$(CARD)") $(if $(filter-out 0,$(FORCE)),--force)

references:  ## [NAME=experiment] [REPLACE=1]: write reference.json for models in MODELS_DIR (models) that lack one; MNIST_PATH=mnist.npz
	@exec $(PYTHON) local/bootstrap.py up -m pipeline.models.references $(if $(NAME),"$(NAME)") $(if $(REPLACE),--replace)

robustness:  ## [NAME=experiment] [REPLACE=1]: measure the models in MODELS_DIR (models) that lack robustness.json; MNIST_PATH=mnist.npz
	@exec $(PYTHON) local/bootstrap.py up -m pipeline.models.robustness $(if $(NAME),"$(NAME)") $(if $(REPLACE),--replace)

convert:  ## FILE=old.h5 OUT=new.keras, or FILE=saved_model OUT=directory [CARD=card.json]: convert a model for publication
	@exec $(PYTHON) local/bootstrap.py up -m inference convert "$(FILE)" "$(OUT)" $(if $(CARD),--card "$(CARD)")

load:  ## FILE=digits.zip [TASK=mnist]: upload labeled images (zip, CSV, npz, Parquet) for the next retraining
	@$(if $(FILE),,echo "usage: make load FILE=digits.zip [TASK=mnist]" >&2; exit 2;) \
	exec $(PYTHON) local/bootstrap.py up -m pipeline load "$(FILE)" $(if $(TASK),--task "$(TASK)")

retrain:  ## [EXPERIMENT=name] [SEEDS=3] [TASK=mnist]: train again with all labels; without EXPERIMENT, that of the champion
	@exec $(PYTHON) local/bootstrap.py up -m pipeline retrain $(if $(EXPERIMENT),--experiment "$(EXPERIMENT)") \
		$(if $(SEEDS),--seeds "$(SEEDS)") $(if $(TASK),--task "$(TASK)")

runs:  ## list the latest runs of the learning loop
	@exec $(PYTHON) local/bootstrap.py up -m pipeline runs

rollback:  ## [TASK=mnist]: undo the last move of the champion
	@exec $(PYTHON) local/bootstrap.py up -m pipeline rollback $(if $(TASK),--task "$(TASK)")

worker:  ## execute runs of the learning loop until Ctrl-C; `make up` starts one worker by itself
	@exec $(PYTHON) local/bootstrap.py up -m pipeline worker

secrets:  ## create passwords and API keys in secrets/ for a reachable stack; existing files are kept
	@$(PYTHON) -m local.passwords

client:  ## build the Python client: wheel and sdist in client/dist
	@$(PYTHON) local/bootstrap.py dev && rm -rf client/dist && .venv/bin/uv build --quiet --offline --no-build-isolation --python $(RUN) client \
		&& rm -rf client/build client/*.egg-info && ls client/dist/*

bundle:  ## TAG=repo/inference:sha [NAME=a,b@3 | ALIAS=champion [TASK=mnist]] [BASE=image]: image of the service with these models, without a choice all
	@$(if $(TAG),,echo "usage: make bundle TAG=repo/inference:sha [NAME=a,b@3 | ALIAS=champion [TASK=mnist]] [BASE=image] [REVISION=commit]" >&2; exit 2;) \
	exec $(PYTHON) local/bootstrap.py dev -m delivery.bundle "$(TAG)" $(if $(NAME),--name "$(NAME)") $(if $(ALIAS),--alias "$(ALIAS)") \
		$(if $(TASK),--task "$(TASK)") $(if $(BASE),--base "$(BASE)") $(if $(REVISION),--revision "$(REVISION)")

smoke:  ## IMAGE=repo/inference:sha: run a bundle read-only, without network and database, and check its answers; URL= checks a deployed one
	@$(if $(IMAGE)$(URL),,echo "usage: make smoke IMAGE=repo/inference:sha [READY_SECONDS=10], or make smoke URL=https://host/api/v1.0 [BUNDLE=.local/bundle/bundle.json]" >&2; exit 2;) \
	$(if $(URL),exec $(PYTHON) delivery/smoke_client.py "$(URL)" < "$(or $(BUNDLE),.local/bundle/bundle.json)",exec $(PYTHON) local/bootstrap.py dev -m delivery.smoke "$(IMAGE)" $(if $(READY_SECONDS),--ready-seconds "$(READY_SECONDS)"))

lint-deploy:  ## check the templates of CI and deployment: actionlint, zizmor, JSON schemas and Kubernetes
	@exec $(PYTHON) local/bootstrap.py dev -m delivery.lint

sbom:  ## list the components of each image: .local/sbom/*.cdx.json (CycloneDX) and doc/licenses.md
	@exec $(PYTHON) local/bootstrap.py dev -m supply_chain.sbom

audit:  ## check locked packages for known vulnerabilities with PyPI, or with OSV: AUDIT="-s osv"
	@exec $(PYTHON) local/bootstrap.py dev -m supply_chain.audit $(AUDIT)

lock:  ## update requirements/*.txt from pyproject.toml to the newest versions, the same in all lock files
	@$(PYTHON) local/bootstrap.py dev
	$(COMPILE) --upgrade --group dev -o requirements/dev.txt
	for group in bench up db inference pipeline tensorflow web; do $(COMPILE) --group $$group -c requirements/dev.txt -o requirements/$$group.txt || exit 1; done
	$(patsubst 3.11,3.13,$(COMPILE)) --upgrade --group pgadmin -o requirements/pgadmin.txt
	for group in deploy kserve mlflow mlserver protocol_clients supply_chain; do $(COMPILE) --upgrade --group $$group -o requirements/$$group.txt || exit 1; done
	echo uv | $(COMPILE) -c requirements/dev.txt -o requirements/bootstrap.txt -
