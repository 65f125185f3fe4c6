# What one can ask for: run, test, check, bench; on a charge point, as root: install, uninstall.
# Needs python3 (3.11 or newer), python3-venv and make. No compiler.

VENV ?= .venv
PYTHON ?= python3
# More processes than cores (two): many tests wait. A file of tests stays in one process, and those that
# take longest come first (tests/conftest.py).
PYTEST ?= -n 4 --dist loadfile --no-loadscope-reorder

# Tests start many processes, and compile each module once.
unexport PYTHONDONTWRITEBYTECODE

# What is installed, here and on a charge point, is what the lock files name, by their hashes, and wheels
# only. They are whole: pip looks for nothing else. Then the project itself, built by the setuptools of the lock,
# which warns of every editable installation.
LOCK = packaging/lock
PIP_OPTIONS = --disable-pip-version-check --no-deps
LOCKED = $(PIP_OPTIONS) --require-hashes --only-binary :all:
PIP_INSTALL = $(VENV)/bin/python -m pip install --quiet

# The second central system of the tests (tests/strict).
STRICT = tests/strict/node_modules/.package-lock.json

.PHONY: help run test long lint check bench sim soak mutants coverage crash pictures system-test arm64-test debian-test vm-test clean install uninstall lock sbom deb

help:
	@echo "make run        start the agent with a simulated charger and a demonstration central system"
	@echo "make test       run the tests"
	@echo "make long       the tests that take long: benches, generated requests, kills"
	@echo "make check      formatting, lint, types and all these tests"
	@echo "make bench      measure speed"
	@echo "make sim        days in a simulated world, in seconds (SIM_DAYS, SIM_RUNS, SIM_SEED; see tests/simulation/run.py)"
	@echo "make soak       a day in virtual time, then minutes in real time, with random faults (SOAK_MINUTES, SOAK_SEED)"
	@echo "make mutants    deliberate mistakes in the agent, each of which the simulation must find"
	@echo "make coverage   what the tests of the core run of it, lines and branches; must stay at 99.9 %"
	@echo "make crash      the real process killed 50 times, and a network that fails silently (CRASH_KILLS, CRASH_SEED)"
	@echo "make system-test  (root) the service under a real systemd, in a Debian of its own"
	@echo "make arm64-test  (root) the package for arm64 imported, and the core tested, on emulated arm64 code"
	@echo "make debian-test  (root) make test as an ordinary user of a plain Debian (DEBIAN=bookworm, DEBIAN=trixie)"
	@echo "make vm-test    (root) the service on a kernel's own pins and serial devices, in an emulated computer (VM=short, DEBIAN=trixie)"
	@echo "make lock       resolve pyproject.toml into packaging/lock (UPGRADE=--upgrade takes newer versions)"
	@echo "make sbom       the bill of materials of what is installed: dist/sbom.cdx.json (CycloneDX)"
	@echo "make deb        one file to install from: dist/chargepoint-agent_VERSION_ARCHITECTURE.deb (ARCHITECTURES)"
	@echo "make install    (root) install on this machine as a service"
	@echo "make uninstall  (root) remove the service; configuration and data stay"

run: $(VENV)/.ready-to-run
	$(VENV)/bin/chargepoint-agent demo

test: $(VENV)/.ready-to-test $(STRICT)
	$(VENV)/bin/python -m pytest $(PYTEST)

long: $(VENV)/.ready-to-test
	$(VENV)/bin/python -m pytest $(PYTEST) -m long

lint: $(VENV)/.ready-to-test
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

# One after the other, with -j too.
check:
	$(MAKE) lint
	$(MAKE) test
	$(MAKE) long

bench: $(VENV)/.ready-to-test
	$(VENV)/bin/python -m tests.bench

sim: $(VENV)/.ready-to-test
	$(VENV)/bin/python -m tests.simulation.run

soak: $(VENV)/.ready-to-test
	$(VENV)/bin/python -m tests.soak

mutants: $(VENV)/.ready-to-test
	$(VENV)/bin/python -m tests.simulation.mutants

# One process, so that each line counts; half a minute.
coverage: $(VENV)/.ready-to-test
	$(VENV)/bin/python -m coverage run -m pytest tests/core
	$(VENV)/bin/python -m coverage report

# Two minutes; each test in a process of its own, since most of them wait. What was tried is printed.
crash: $(VENV)/.ready-to-test
	$(VENV)/bin/python -m pytest -n 4 --dist load -rP -m crash tests/crash

# The pictures of the page in docs/images; needs chromium.
pictures: $(VENV)/.ready-to-test
	$(VENV)/bin/python -m tests.browser.pictures

# Needs debootstrap and systemd-container. The first run fetches a Debian (two minutes).
system-test: $(VENV)/.ready-to-test
	$(VENV)/bin/python -m pytest -m system tests/system

# Part of system-test. Needs debootstrap, systemd-container and qemu-user-static.
arm64-test: $(VENV)/.ready-to-test
	$(VENV)/bin/python -m pytest -m system tests/system/test_arm64.py

# Needs debootstrap and systemd-container. The first run of each fetches a Debian.
DEBIAN ?= trixie

debian-test:
	$(PYTHON) -m tests.system.plain $(DEBIAN)

# Needs debootstrap, systemd-container, qemu-system-x86, qemu-utils and e2fsprogs. The first run makes a
# Debian with a kernel (four minutes); without KVM, which is not used, all takes 20 minutes, VM=short three.
vm-test: DEBIAN = bookworm
vm-test: $(VENV)/.ready-to-test
	VM_DEBIAN=$(DEBIAN) $(VENV)/bin/python -m pytest -m $(if $(filter short,$(VM)),vm_short,vm) tests/vm

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis $(dir $(STRICT))

$(VENV)/.ready-to-run: pyproject.toml $(LOCK)/run.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) $(LOCKED) --requirement $(LOCK)/run.txt
	PYTHONWARNINGS=ignore $(PIP_INSTALL) $(PIP_OPTIONS) --no-build-isolation --editable .
	touch $@

$(VENV)/.ready-to-test: $(VENV)/.ready-to-run $(LOCK)/dev.txt
	$(PIP_INSTALL) $(LOCKED) --requirement $(LOCK)/dev.txt
	touch $@

# One file for every Python and processor: it has the hashes of all wheels, and markers where they differ.
# Versions stay as they are as long as pyproject.toml allows them. The index is that of uv's configuration.
RESOLVE = $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-annotate --no-header $(UPGRADE) --extra board --group reader --group build pyproject.toml

lock: $(VENV)/.ready-to-test
	$(PIP_INSTALL) 'uv>=0.9,<1'
	$(RESOLVE) --no-build --output-file $(LOCK)/run.txt
	$(RESOLVE) --extra dev --constraint $(LOCK)/run.txt --output-file $(LOCK)/dev.txt

sbom: $(VENV)/.ready-to-run
	$(VENV)/bin/python packaging/sbom.py dist/sbom.cdx.json

ARCHITECTURES ?= arm64 amd64 armhf

deb: $(VENV)/.ready-to-test
	$(VENV)/bin/python packaging/deb.py $(ARCHITECTURES)

# Without npm, or without a network, the tests that need it are skipped.
$(STRICT): tests/strict/package-lock.json
	@npm ci --prefix tests/strict --no-audit --no-fund --loglevel=error && touch $@ || \
	    echo "ocpp-rpc is not installed: the tests in tests/strict are skipped"

# --- on the charge point (docs/installation.md) --------------------------------------------------

APP = /opt/chargepoint-agent
APP_PIP = $(APP)/bin/python -m pip install
NAME = chargepoint-agent
ETC = $(DESTDIR)/etc
LINK = $(DESTDIR)/usr/local/bin/$(NAME)
SHARE = $(DESTDIR)/usr/local/share
MADE = $(SHARE)/man/man1/$(NAME).1 $(SHARE)/bash-completion/completions/$(NAME) \
    $(SHARE)/zsh/site-functions/_$(NAME) $(SHARE)/fish/vendor_completions.d/$(NAME).fish

# With DESTDIR only files are staged, for a package: an environment cannot be moved.
install: install-check $(if $(DESTDIR),,install-environment) install-files install-manual $(if $(DESTDIR),,install-activate)

.PHONY: install-check install-environment install-files install-manual install-activate

install-check:
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" != 0 ]; then echo "make install needs root: use sudo"; exit 1; fi
	@if [ -z "$(DESTDIR)" ] && [ "$$(systemctl is-active $(NAME))" = active ]; then \
	    echo "the agent is running; when nobody charges: sudo systemctl stop $(NAME)"; exit 1; fi

# The system's packages are seen (python3-lgpio, python3-spidev): not all of them exist as wheels.
# What pip builds in this folder goes: it would be root's, and old modules in it would be installed again.
install-environment:
	$(PYTHON) -m venv --clear --system-site-packages $(APP)
	rm -rf build *.egg-info
	$(APP_PIP) $(LOCKED) --requirement $(LOCK)/run.txt
	$(APP_PIP) $(PIP_OPTIONS) --no-build-isolation .
	rm -rf build *.egg-info

install-files:
	install -d $(ETC)/systemd/system $(ETC)/sysusers.d $(ETC)/tmpfiles.d $(ETC)/udev/rules.d
	install -d $(ETC)/$(NAME) $(dir $(LINK))
	install -m 644 systemd/$(NAME).service $(ETC)/systemd/system/$(NAME).service
	install -m 644 systemd/$(NAME).sysusers $(ETC)/sysusers.d/$(NAME).conf
	install -m 644 systemd/$(NAME).tmpfiles $(ETC)/tmpfiles.d/$(NAME).conf
	install -m 644 systemd/99-$(NAME).rules $(ETC)/udev/rules.d/99-$(NAME).rules
	test -e $(ETC)/$(NAME)/config.toml || \
	    install -m 644 config.example.toml $(ETC)/$(NAME)/config.toml
	ln -sfn $(APP)/bin/$(NAME) $(LINK)

# Man page and completions are made from the commands; no package is needed for that.
install-manual:
	install -d $(sort $(dir $(MADE)))
	$(PYTHON) -B -m agent manual man > $(word 1,$(MADE))
	$(PYTHON) -B -m agent completion bash > $(word 2,$(MADE))
	$(PYTHON) -B -m agent completion zsh > $(word 3,$(MADE))
	$(PYTHON) -B -m agent completion fish > $(word 4,$(MADE))

install-activate:
	systemd-sysusers $(NAME).conf
	systemd-tmpfiles --create $(NAME).conf
	-udevadm control --reload && udevadm trigger --subsystem-match=gpio --subsystem-match=spidev
	systemctl daemon-reload
	@echo
	@echo "Installed. Next: edit /etc/$(NAME)/config.toml, then"
	@echo "    $(NAME) check-config"
	@echo "    sudo systemctl enable --now $(NAME)"

# Configuration, data and the user that owns them stay.
uninstall:
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" != 0 ]; then echo "make uninstall needs root: use sudo"; exit 1; fi
	$(if $(DESTDIR),,-systemctl disable --now $(NAME))
	rm -f $(ETC)/systemd/system/$(NAME).service $(ETC)/sysusers.d/$(NAME).conf
	rm -f $(ETC)/tmpfiles.d/$(NAME).conf $(ETC)/udev/rules.d/99-$(NAME).rules $(LINK)
	rm -f $(MADE)
	rm -rf $(DESTDIR)$(APP)
	$(if $(DESTDIR),,-systemctl daemon-reload)
	@echo "Removed. Still there: /etc/$(NAME) and /var/lib/$(NAME)"
