PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test mutants invariants lint bench clean

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

bench: .venv/ready-dev bench/.venv-trl-1.8/ready
	$(BIN)/python -m bench

# the last TRL that has PPO, in an environment of its own
bench/.venv-trl-1.8/ready: constraints.txt
	$(PYTHON) -m venv bench/.venv-trl-1.8
	grep -v '^trl=' constraints.txt > bench/.venv-trl-1.8/constraints.txt
	bench/.venv-trl-1.8/bin/pip install --quiet torch==2.13.0 trl==1.8.0 -c bench/.venv-trl-1.8/constraints.txt
	touch $@

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
	rm -rf .venv bench/.venv-trl-1.8 runs .pytest_cache .ruff_cache .mypy_cache
