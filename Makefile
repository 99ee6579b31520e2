PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test mutants invariants lint clean

quickstart: .venv/ready
	$(BIN)/baro run recipes/quickstart.yaml

test: .venv/ready-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

mutants: .venv/ready-dev
	$(BIN)/python tests/mutants/run.py

invariants: .venv/ready-dev
	$(BIN)/python tests/house/invariants.py

lint: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/pip: constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet torch==2.13.0 -c constraints.txt
	touch $@

.venv/ready: .venv/pip pyproject.toml
	$(BIN)/pip install --quiet -c constraints.txt -e .
	touch $@

.venv/ready-dev: .venv/ready
	$(BIN)/pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf .venv runs .pytest_cache .ruff_cache .mypy_cache
