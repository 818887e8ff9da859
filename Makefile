# Every target sets itself up: a fresh machine needs only Python 3.10 to 3.13 and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint format clean

demo: .venv/ready
	$(BIN)/zoo demo --out demo

test: .venv/ready
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# uv when present, else pip.
.venv/ready: pyproject.toml
	rm -rf .venv
	if command -v uv >/dev/null; then \
		uv venv --python $(PYTHON) .venv && \
		VIRTUAL_ENV=.venv uv pip install --editable '.[test]'; \
	else \
		$(PYTHON) -m venv .venv && \
		$(BIN)/pip install --quiet --upgrade pip && \
		$(BIN)/pip install --quiet --editable '.[test]'; \
	fi
	touch $@

clean:
	rm -rf .venv demo build dist .pytest_cache .ruff_cache
