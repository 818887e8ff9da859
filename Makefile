# Every target sets itself up: a fresh machine needs only Python 3.10 to 3.13 and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint format check-exports clean

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

ifeq ($(MAKECMDGOALS)$(EXPORTS),check-exports)
$(error Say where exports may be written: make check-exports EXPORTS=FOLDER)
endif

# Every preset, under TensorFlow of this environment and of the newest TF Serving:
# make check-exports EXPORTS=FOLDER
check-exports: .venv/ready .venv-2.20/ready
	$(BIN)/python benchmarks/exports.py --out $(EXPORTS) \
		--site $$(.venv-2.20/bin/python -c \
			"import sysconfig; print(sysconfig.get_path('purelib'))")

# Of these packages only shared libraries are used.
.venv-2.20/ready:
	rm -rf .venv-2.20
	$(PYTHON) -m venv .venv-2.20
	.venv-2.20/bin/pip install --quiet --no-deps \
		'tensorflow-cpu==2.20.*' 'tensorflow-text==2.20.*'
	touch $@

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
	rm -rf .venv .venv-2.20 demo build dist .pytest_cache .ruff_cache
