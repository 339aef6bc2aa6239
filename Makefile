# Everything that a person or a machine does with Jarvis. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(PYTHON) jarvis/launch/install.py
# After an error that was told: a person at a terminal needs no `make: *** Error 1` below it, a script the exit status.
END := { [ -t 2 ]; exit; }
PYTEST := $(BIN)/python -m pytest -rs -n 2
SPANISH := templates/locale/es/LC_MESSAGES/django.po
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock" $(ARGS)

.PHONY: help run dev stop install test test-fast lint format migrations messages lock bench bench-page bench-search guide screenshots soak \
	clean
.DEFAULT_GOAL := help
unexport PYTHONDONTWRITEBYTECODE  # bytecode halves the start of every process

help: ## Show these lines.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Install what is missing and start everything; the page is at http://127.0.0.1:8090.
	@$(INSTALL) worker || $(END); exec $(BIN)/python manage.py run $(ARGS)

dev: ## The same for who works on the code: the web starts anew when it changes, and errors show on the page.
	@$(INSTALL) worker development || $(END); exec $(BIN)/python manage.py run --dev $(ARGS)

stop: ## Stop everything in order, also what is left after a crash (ARGS=--now does not wait for answers under way).
	@[ -x $(BIN)/python ] || { echo "Nothing is installed here, so nothing runs."; exit 0; }; \
		exec $(BIN)/python manage.py stop $(ARGS)

install: ## Install everything, for running and for development.
	@$(INSTALL) worker development

test: install ## Run all tests, also the slow ones with the real engine, real processes and a browser.
	$(PYTEST) $(ARGS)

test-fast: install ## Run the tests that need no engine, no browser and no killing of processes.
	$(PYTEST) -m "not vllm and not processes and not browser and not gpu" $(ARGS)

lint: install ## Check style, types, migrations, the direction of imports, and names.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/python -m tests.support.services $(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/lint-imports
	$(BIN)/python .ci/check_names.py

format: install ## Format the code.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

migrations: install ## Write the migrations of changed models (ARGS="chat --name words" names one).
	$(BIN)/python -m tests.support.services $(BIN)/python manage.py makemigrations $(ARGS)

messages: install ## Gather the words to be translated, compile those that are; prints what has no Spanish (needs gettext).
	@for tool in xgettext msgmerge msgfmt msgattrib; do command -v $$tool >/dev/null || \
		{ echo "$$tool is missing: make messages needs GNU gettext (apt-get install gettext)."; exit 1; }; done
	$(BIN)/python manage.py makemessages --locale es --no-location --no-obsolete --no-wrap \
		--ignore .venv --ignore var --ignore tests --ignore benchmarks
	$(BIN)/python manage.py compilemessages --locale es --ignore .venv --ignore var
	@msgattrib --untranslated --no-wrap $(SPANISH)
	@msgattrib --only-fuzzy --no-wrap $(SPANISH)

bench: install ## Measure Jarvis beside the bare engine and write docs/benchmarks.md (ARGS=--no-write to only look).
	$(BIN)/python benchmarks/bench.py $(ARGS)

bench-search: install ## Measure the search of conversations, on 200,000 messages of its own.
	$(BIN)/python benchmarks/search.py

bench-page: install ## Measure the chat page in a browser, and its sockets, and write docs/benchmarks.md.
	$(BIN)/python benchmarks/page.py $(ARGS)

guide: install ## Train the built-in model again from nothing, then measure it; about half an hour on two cores.
	$(BIN)/python -m inference.guide.train $(ARGS)
	$(BIN)/python -m inference.guide.measure

screenshots: install ## Take the pictures in docs/screenshots/ again, with the tests in the browser.
	JARVIS_SCREENSHOTS=1 $(BIN)/python -m pytest -q tests/browser

soak: install ## Kill processes at random while questions are asked (ARGS="--minutes 30"), or watch memory (ARGS=--steady).
	$(BIN)/python -m tests.support.soak $(ARGS)

lock: install ## Make the locks again after a change to requirements/*.in (ARGS=--upgrade for newer versions).
	$(LOCK) requirements/install.in -o requirements/install.txt
	$(LOCK) requirements/redis.in -o requirements/redis.txt --no-deps
	$(LOCK) requirements/worker-cpu.in -o requirements/worker-cpu.txt --override requirements/without-torch.txt
	$(LOCK) requirements/worker-gpu.in -o requirements/worker-gpu.txt
	$(LOCK) requirements/web.in -o requirements/web.txt -c requirements/worker-cpu.txt -c requirements/worker-gpu.txt
	$(LOCK) requirements/development.in -o requirements/development.txt \
		-c requirements/worker-cpu.txt -c requirements/worker-gpu.txt

clean: ## Remove what was installed and built; data in var/ stays.
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
