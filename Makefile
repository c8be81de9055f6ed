# What to run, from the project's folder. `make up` takes WEB_PORT, API_PORT, DB_PORT, LOCAL_DIR and POSTGRES_PASSWORD from
# the environment or the command line (make up DB_PORT=5433); .env.example has the rest.
PYTHON ?= python3
RUN = .venv/bin/python
COMPILE = .venv/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help up down check-data test test-faults soak test-compose lint bench bench-full bench-data bench-pages pictures train publish convert secrets sbom audit lock

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS='	' read -r target what; do printf '  make %-13s %s\n' "$$target" "$$what"; done

up:  ## install, start everything, show where it is; Ctrl-C stops it
	@$(PYTHON) local/bootstrap.py up && exec $(RUN) -m local up

down:  ## stop what `make up` started, wherever it runs, and what a crash left behind
	@if [ -x $(RUN) ]; then exec $(RUN) -m local down; else echo "Nothing runs: there is no .venv"; fi

check-data:  ## FILE=more.csv: what an import would take of it, and what not and why; without FILE, all that is imported
	@$(PYTHON) local/bootstrap.py up && exec $(RUN) -m db.validate $(if $(FILE),"$(FILE)")

test:  ## unit, integration (a real Postgres) and end-to-end (a real browser) tests; TESTS=tests/unit for some
	@$(PYTHON) local/bootstrap.py dev && exec $(RUN) -m pytest $(TESTS)

test-faults:  ## every fault that the stack is to survive, with its figure, in twenty minutes; `make test` has a short form
	@$(PYTHON) local/bootstrap.py dev && FAULTS=full exec $(RUN) -m pytest -s tests/resilience

soak:  ## MINUTES=10 of load with faults at random: answers, rows and memory; SEED=1 for the same faults again
	@$(PYTHON) local/bootstrap.py dev && exec $(RUN) -m tests.resilience.soak $(or $(MINUTES),10) $(SEED)

test-compose:  ## the compose stack built, started and used; needs a Docker engine
	@$(PYTHON) local/bootstrap.py dev && exec $(RUN) -m pytest tests/containers

lint:  ## ruff and mypy --strict
	@$(PYTHON) local/bootstrap.py dev && $(RUN) -m ruff check . && $(RUN) -m ruff format --check . && $(RUN) -m mypy --strict .

bench:  ## measure every goal of speed in six minutes and write them into doc/performance.md; needs wrk
	@$(PYTHON) local/bootstrap.py bench && exec $(RUN) -m bench

bench-full:  ## the same with longer and more rounds
	@$(PYTHON) local/bootstrap.py bench && exec $(RUN) -m bench --full

bench-data:  ## what SQL and the API's queries take with a million predictions and five million events, in five minutes
	@$(PYTHON) local/bootstrap.py bench && exec $(RUN) -m bench.queries

bench-pages:  ## how long people wait for the dashboard: 10,000 experiments, 50 curves, a stroke to its answers; in two minutes
	@$(PYTHON) local/bootstrap.py dev && exec $(RUN) -m bench.dashboard

pictures:  ## the pictures of doc/ anew, from what runs
	@$(PYTHON) local/bootstrap.py dev && exec $(RUN) -m doc.pictures

train:  ## train the shipped experiments again: models/ and data.csv
	@$(PYTHON) local/bootstrap.py dev && exec $(RUN) -m training.train

publish:  ## FILE=model.keras NAME=experiment [CARD=card.json]: the model's next version, into MODELS_DIR (models)
	@$(if $(and $(FILE),$(NAME)),,echo "usage: make publish FILE=model.keras NAME=experiment [CARD=card.json]" >&2; exit 2;) \
	$(PYTHON) local/bootstrap.py up && exec $(RUN) -m inference publish "$(FILE)" "$(NAME)" $(if $(CARD),--card "$(CARD)")

convert:  ## FILE=old.h5 OUT=new.keras, or FILE=saved_model OUT=directory [CARD=card.json]: what can be published of it
	@$(PYTHON) local/bootstrap.py up && exec $(RUN) -m inference convert "$(FILE)" "$(OUT)" $(if $(CARD),--card "$(CARD)")

secrets:  ## a password for each role and the API keys, in secrets/, for a stack that others reach; what is there stays
	@$(PYTHON) -m local.passwords

sbom:  ## the components of each image with their licences: .local/sbom/*.cdx.json (CycloneDX) and doc/licences.md
	@$(PYTHON) local/bootstrap.py dev && exec $(RUN) -m supply_chain.sbom

audit:  ## whether a locked package has a known vulnerability, by PyPI or with AUDIT="-s osv" by OSV; unanswered is failed
	@$(PYTHON) local/bootstrap.py dev && exec $(RUN) -m supply_chain.audit $(AUDIT)

lock:  ## write requirements/*.txt anew from pyproject.toml: newest versions, the same in every lock
	@$(PYTHON) local/bootstrap.py dev
	$(COMPILE) --upgrade --group dev -o requirements/dev.txt
	for group in bench up db inference tensorflow web; do $(COMPILE) --group $$group -c requirements/dev.txt -o requirements/$$group.txt || exit 1; done
	$(patsubst 3.11,3.13,$(COMPILE)) --upgrade --group pgadmin -o requirements/pgadmin.txt
	$(COMPILE) --upgrade --group supply_chain -o requirements/supply_chain.txt
	echo uv | $(COMPILE) -c requirements/dev.txt -o requirements/bootstrap.txt -
