# Everything that is run here, one word each. It needs make and Python 3.11 or newer; the rest is installed, locked by
# hash, into .venv the first time it is asked for, and a second run starts at once.
.POSIX:
.PHONY: help demo dev test promises property faults chaos check bench lock clean

PYTHON = python3
BIN = .venv/bin

help: ## list these targets
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)$$/  make \1@\2/p' Makefile | awk -F@ '{ printf "%-14s %s\n", $$1, $$2 }'

demo: .venv/run.stamp ## Overture with a simulated phone; PORT=8080 HANDSET_PORT=8081 API_KEY= DATA=folder ONCE=1
	@port='$(PORT)' handset_port='$(HANDSET_PORT)' api_key='$(API_KEY)' data='$(DATA)' once='$(ONCE)'; \
	exec $(BIN)/overture demo \
	  $${port:+--port "$$port"} $${handset_port:+--handset-port "$$handset_port"} \
	  $${api_key:+--api-key "$$api_key"} $${data:+--data "$$data"} $${once:+--once}

dev: .venv/dev.stamp ## the development environment, in .venv

test: .venv/dev.stamp ## every test, on all cores; ARGS="tests/domain -k window" narrows it
	@$(BIN)/pytest -n auto --dist loadfile $(ARGS)

promises: .venv/dev.stamp ## run the tests that hold promises, and write docs/promises.md with what they reached
	@$(BIN)/python -m pytest -n auto --dist loadfile -m promise --promises $(ARGS)

property: .venv/dev.stamp ## the property and hammer tests at their full size, some twenty minutes
	@OVERTURE_TEST_SIZE=full $(BIN)/python -m pytest -n auto --timeout 1800 --promises tests/property $(ARGS)

faults: .venv/dev.stamp ## database restarts, full disks, clock jumps and the soak at their full size
	@OVERTURE_TEST_SIZE=full $(BIN)/python -m pytest -n auto --timeout 1800 --promises tests/faults $(ARGS)

check: .venv/dev.stamp ## style, types, rooms, docstrings, sizes
	@echo "1/6 ruff check" && $(BIN)/ruff check
	@echo "2/6 ruff format" && $(BIN)/ruff format --check
	@echo "3/6 mypy" && $(BIN)/mypy
	@echo "4/6 lint-imports" && $(BIN)/lint-imports --no-logo
	@echo "5/6 interrogate" && $(BIN)/interrogate src
	@echo "6/6 tests/architecture" && $(BIN)/pytest tests/architecture

chaos: .venv/dev.stamp ## kill the real server at every boundary, under every fault; REPORT=build/chaos ARGS="--plan clean --kill 7"
	@report='$(REPORT)'; $(BIN)/python -m tests.crash $${report:+--report "$$report"} $(ARGS)

bench: .venv/dev.stamp ## the measurements of docs/architecture.md; ARGS chooses among them
	@$(BIN)/python -m benchmarks $(ARGS)

lock: .venv/dev.stamp ## write requirements/*.lock anew from pyproject.toml; UPGRADE=1 takes the newest of everything
	@upgrade='$(UPGRADE)'; \
	lock() { \
	  file=$$1; shift; echo "requirements/$$file"; \
	  $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	    --no-header $${upgrade:+--upgrade} "$$@" pyproject.toml -o requirements/$$file; \
	}; \
	lock run.lock --extra model --group build && lock dev.lock --extra model --group build --group dev

clean: ## remove .venv and every cache; data stays
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/run.stamp: requirements/run.lock requirements/install.py pyproject.toml
	@$(PYTHON) requirements/install.py run

.venv/dev.stamp: requirements/dev.lock requirements/install.py pyproject.toml
	@$(PYTHON) requirements/install.py dev
