lock: ## write requirements/*.lock anew from pyproject.toml
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --extra model --group build pyproject.toml -o requirements/run.lock
