"""``chargepoint-agent doctor``: what works, what does not, and what to do about it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli import paths
from agent.cli.console import Console, add_command, as_json
from agent.cli.status_view import finding_line
from agent.maintenance.findings import Finding, failed, is_healthy, noted, passed, skipped
from agent.platform.errors import ConfigError, ControlError, NoAgent

if TYPE_CHECKING:
    from datetime import datetime

    from agent.config.settings import BrokerSettings, Settings
    from agent.core.certificates import TrustedRoots
    from agent.core.connection_profile import ConnectionProfiles
    from agent.core.own_certificates import OwnCertificates
    from agent.maintenance.agent_user import User

Ask = Callable[..., Any]


def add_doctor_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``doctor``."""
    words = "walk what this box needs to work; name what breaks and what to do"
    add_command(commands, common, "doctor", words, run_doctor_command)


def run_doctor_command(options: argparse.Namespace) -> int:
    """Tell every finding as it is made; 1 when something does not work."""

    console = Console(sys.stdout)
    findings = []
    for finding in _walk(options.config):
        findings.append(finding)
        if not options.json:
            console.tell([finding_line(finding)])
    healthy = is_healthy(findings)
    if options.json:
        data = {"ok": healthy, "findings": [finding.as_data() for finding in findings]}
        print(as_json(data))
    return 0 if healthy else 1


def _walk(config: Path | None) -> Iterator[Finding]:
    from agent.maintenance.agent_user import agents_user
    from agent.maintenance.check_box import (
        as_far_as_seen,
        look_at_clock,
        look_at_database,
        look_at_disk,
        look_at_secrets,
    )
    from agent.runtime.clock import SystemClock, is_kernel_clock_synchronized

    now = SystemClock().now().utc
    path = config or paths.config_in_use()
    settings, mistakes = _settings(path)
    has_central_system = settings is None or bool(settings.central_system.url)
    yield from look_at_clock(now, is_kernel_clock_synchronized(), has_central_system)
    for mistake in mistakes:
        yield failed("configuration", mistake, f"sudo nano {path}")
    try:
        ask, storage = paths.asker(config), paths.find_storage(config)
    except ConfigError:
        return  # reported above; and it is not known where to look further
    status, about_agent = _ask_the_agent(ask)
    if path is None:
        settings = _settings_of_the_demonstration(ask)
    user = agents_user(storage)
    if settings is not None:
        yield from _about_configuration(path, settings)
        yield from as_far_as_seen("secrets", look_at_secrets(settings, user))
    yield from as_far_as_seen("disk", look_at_disk(storage, user))
    yield from as_far_as_seen("database", look_at_database(storage))
    if settings is not None:
        yield from as_far_as_seen("devices", _look_at_devices(settings, user, status))
    yield about_agent
    yield from _faults(status)
    if settings is not None and settings.inputs.grid_limit is not None:
        yield from _about_grid_limit(status)
    if settings is None:
        yield skipped("link", "the configuration comes first")
    else:
        yield from as_far_as_seen("link", _look_at_link(settings, status, now))
        for step, name, broker in (
            ("station bus", "bus", settings.mqtt),
            ("house", "house", settings.house),
        ):
            if broker.enabled:
                known = {} if status is None else status.get(name, {})
                yield from as_far_as_seen(step, _look_at_broker(step, broker, settings, known))


def _look_at_broker(
    step: str, broker: BrokerSettings, settings: Settings, known: Any
) -> Iterator[Finding]:
    from agent.mqtt.check_broker import problem_with

    where = f"{broker.host}:{broker.port}"
    problem = "" if known.get("connected") else problem_with(broker, settings.charge_point.identity)
    if problem:
        yield failed(
            step, problem, f"is the broker on, and are the keys of [{broker.SECTION}] right?"
        )
    elif known and not known["connected"]:
        yield noted(step, f"{where} lets us in, but not the agent: {known['problem']}")
    else:
        yield passed(step, f"the broker {where} lets us in")


def _settings(path: Path | None) -> tuple[Settings | None, list[str]]:
    from agent.config.config_file import read_config

    try:
        return None if path is None else read_config(path), []
    except ConfigError as error:
        return None, error.mistakes


def _settings_of_the_demonstration(ask: Ask) -> Settings:
    """It has no file: it tells its settings itself; those that it begins with while none runs."""
    from agent.config.config_file import settings_from_data
    from agent.config.demo_settings import demo_settings

    try:
        return settings_from_data(ask(do="settings"))
    except (ControlError, ConfigError):  # no agent, or one of another version: reported below
        return demo_settings(paths.demo_directory(), "")


def _look_at_devices(settings: Settings, user: User, status: Any) -> Iterator[Finding]:
    from agent.maintenance.check_box import look_at_devices
    from agent.maintenance.check_pins import look_at_frozen_outputs

    if status is not None and status["simulated"]:
        yield skipped("devices", "the running agent simulates them all")
    else:
        yield from look_at_devices(settings, user)
        yield from look_at_frozen_outputs(settings)


def _look_at_link(settings: Settings, status: Any, now: datetime) -> Iterator[Finding]:
    from agent.app.own_certificates import with_file
    from agent.maintenance.check_link import look_at_link

    profiles, roots, own, problem = _way(settings)
    if problem:
        yield noted("address", f"{problem}: the walk follows the file", "run this as root")
    own = with_file(own, settings.central_system.certificate_file)
    profile = settings.central_system.security_profile
    profile = profile if profiles is None else profiles.wanted.profile
    yield from _about_own_certificate(own, now, is_needed=profile == 3)
    yield from look_at_link(
        settings.central_system,
        settings.charge_point,
        status,
        now,
        profiles,
        roots,
        _files_to_show(settings, own, now),
    )


def _about_own_certificate(
    own: OwnCertificates, now: datetime, *, is_needed: bool
) -> Iterator[Finding]:
    """The one that counts, and what is asked for."""
    from agent.control.own_certificate import own_certificate_sentences
    from agent.core.own_certificates import next_to_end

    certificate = next_to_end(own)
    if certificate is not None:
        has_ended = certificate.not_after <= now
        ends = f"{'has ended' if has_ended else 'ends'} {certificate.not_after.date()}"
        words = f"that of this box, {certificate.subject}, {ends}"
        if certificate.warned_of_from <= now:
            then = "it renews itself, if CpoName is set and the central system signs"
            by_hand = "whoever made it makes the next one: central_system.certificate_file names it"
            finding = failed if has_ended and is_needed else noted
            yield finding("certificate", words, by_hand if own.has_file else then)
        else:
            yield passed("certificate", words)
    for words in own_certificate_sentences(own):
        yield noted("certificate", words)


def _files_to_show(
    settings: Settings, own: OwnCertificates, now: datetime
) -> tuple[str, str] | None:
    """What the agent shows in security profile 3; None: what the file names, or nothing."""
    from agent.app.own_certificates import folder_of
    from agent.certificates.own_keys import file_names
    from agent.core.own_certificates import to_show
    from agent.core.values import Instant

    certificates = to_show(own, Instant(0.0, now))
    if not certificates:
        return None
    return file_names(folder_of(settings), certificates[0])


def _about_configuration(path: Path | None, settings: Settings) -> Iterator[Finding]:
    from agent.config.advice import warnings_for

    if path is None:
        yield passed("configuration", "that of the demonstration, which has no file")
        return
    yield passed("configuration", f"{path} is in order")
    for warning in warnings_for(settings):
        yield noted("configuration", warning)


def _way(
    settings: Settings,
) -> tuple[ConnectionProfiles | None, tuple[TrustedRoots, ...], OwnCertificates, str]:
    """Address and password, what is trusted, what this box has, and why that is not known."""
    from agent.core.certificates import Certificates, trusted_roots
    from agent.core.connection_profile import at_start
    from agent.core.own_certificates import NO_OWN_CERTIFICATES
    from agent.ocppj.connect import approach_of_file
    from agent.platform.errors import StoreError
    from agent.store.offline_view import stored_way

    profiles, certificates, own, problem = None, Certificates(), NO_OWN_CERTIFICATES, ""
    of_file = approach_of_file(settings.central_system)
    if settings.central_system.url and settings.storage_path.exists():
        try:
            stored, certificates, own = stored_way(settings.storage_path)
            profiles = at_start(stored, of_file, has_password_file=bool(of_file.password))
        except StoreError as found:
            problem = str(found)
    roots = trusted_roots(certificates, settings.central_system.only_installed_roots)
    return profiles, roots, own, problem


def _ask_the_agent(ask: Ask) -> tuple[Any, Finding]:
    try:
        status = ask(do="status")
    except NoAgent as problem:
        then = "systemctl status chargepoint-agent"
        return None, noted("agent", str(problem), then)
    except ControlError as problem:
        then = "journalctl -u chargepoint-agent -n 50"
        return None, failed("agent", str(problem), then)
    hardware = "simulated hardware" if status["simulated"] else "real hardware"
    return status, passed("agent", f"it runs, with {hardware}")


def _about_grid_limit(status: Any) -> Iterator[Finding]:
    if status is None:
        yield skipped("grid limit", "only the running agent sees its contact")
        return
    if (known := status.get("grid_limit")) is None:
        yield noted("grid limit", "the agent began without its contact", "restart the agent")
        return
    limit = f"{known['limit']:g} {known['unit']}"
    if known["is_limited"]:
        words = f"the grid operator's contact limits the box to {limit}"
        yield noted("grid limit", words, "if it does not: its wires, or normally_closed")
    else:
        yield passed("grid limit", f"its contact does not limit the box; when it does: {limit}")


def _faults(status: Any) -> Iterator[Finding]:
    if status is None:
        return
    for words in status["faults"]:
        yield failed("agent", words, "see docs/troubleshooting.md")
    for connector in status["connectors"]:
        if connector["status"] == "Faulted":
            words = f"connector {connector['id']}: {connector['in_words']}"
            yield failed("agent", words, "see docs/troubleshooting.md")
