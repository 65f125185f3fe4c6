"""Figures for Prometheus, made from a snapshot at each scrape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from agent.api.service import ControlService
from agent.core import faults
from agent.core.certificate_ends import watched
from agent.core.values import Status
from agent.ocpp16.requests import package_version
from agent.platform.errors import StoreError
from agent.store import OutboxSummary
from agent.store.security_log import SecurityQueue

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "chargepoint_"


async def exposition(service: ControlService) -> bytes:
    """Everything that is measured, in the text format of Prometheus."""
    agent, queue, security = service.agent, None, None
    with suppress(StoreError):  # the figures are missing, the others are not
        queue = await agent.outbox()
        security = await agent.read(agent.store.security_queue)
    link = await agent.link()
    registry = CollectorRegistry()
    registry.register(_Snapshot(service, queue, security, link.connected_since is not None))
    return bytes(generate_latest(registry))


class _Snapshot(Collector):
    def __init__(
        self,
        service: ControlService,
        queue: OutboxSummary | None,
        security: SecurityQueue | None,
        is_connected: bool,
    ) -> None:
        self._service = service
        self._agent = service.agent
        self._queue = queue
        self._security = security
        self._is_connected = is_connected

    def collect(self) -> Iterable[Metric]:
        about = {"version": package_version() or "unknown"}
        yield InfoMetricFamily(f"{_PREFIX}agent", "This program", value=about)
        yield from self._link_and_queue()
        yield from self._sessions()
        yield from self._connectors()
        yield from self._commands()
        yield from self._security_events()

    def _link_and_queue(self) -> Iterable[Metric]:
        state = self._agent.state
        yield _gauge("link_connected", "There is a connection", self._is_connected)
        yield _gauge("link_accepted", "The central system has accepted this box", state.online)
        brokers = {(name,): about()["connected"] for name, about in self._agent.brokers.items()}
        yield _gauges("broker_connected", "There is a connection to it", ["broker"], brokers)
        if self._queue is not None:
            queue = self._queue
            counts = {("queued",): queue.queued_count, ("parked",): queue.parked_count}
            yield _gauges("outbox_messages", "Messages that wait", ["state"], counts)
        ends = {
            (found.fingerprint[:16],): found.not_after.timestamp() for _, found in watched(state)
        }
        yield _gauges("certificate_ends_seconds", "When it ends (Unix time)", ["fingerprint"], ends)
        now = state.local_list
        yield _gauge("local_list_entries", "Entries of the local list", now.entries)
        yield _gauge("local_list_version", "Version of the local list", now.reported_version)

    def _sessions(self) -> Iterable[Metric]:
        figures = self._agent.counters
        yield _counter("sessions_started", "Sessions begun", [], {(): figures.begun})
        ended = {(reason,): count for reason, count in figures.ended.copy().items()}
        yield _counter("sessions_ended", "Sessions ended", ["reason"], ended)
        decisions = dict(figures.decisions.copy())
        yield _counter("decisions", "Decisions about cards", ["verdict", "source"], decisions)

    def _connectors(self) -> Iterable[Metric]:
        state = self._agent.state
        reports = {report.connector_id: report for report in self._agent.reports()}
        statuses = {
            (str(found.connector_id), status.value): reports[found.connector_id].status is status
            for found in state.connectors
            for status in Status
        }
        standing = {
            (str(found.connector_id), fault.value): 1.0
            for found in state.connectors
            for fault in state.faults_of(found)
        }
        readings = {
            (str(found.connector_id),): found.reading
            for found in state.connectors
            if found.reading is not None
        }
        power = {key: reading.power_w for key, reading in readings.items()}
        energy = {key: reading.import_wh for key, reading in readings.items()}
        active = {
            (str(found.connector_id),): found.transaction is not None for found in state.connectors
        }
        by_connector = ["connector"]
        yield _gauges("connector_status", "1: its status", ["connector", "status"], statuses)
        yield _gauges("fault", "1: it stands", ["connector", "fault"], standing)
        yield _gauges("session_active", "A session runs", by_connector, active)
        yield _gauges("power_watts", "Active power", by_connector, power)
        yield _counter("energy_watt_hours", "Register of the meter", by_connector, energy)
        box = [fault for fault in state.faults if faults.RULES[fault].shows_faulted]
        yield _gauge("box_faulted", "The whole box is out of order", bool(box))

    def _commands(self) -> Iterable[Metric]:
        finished = dict(self._service.results.finished)
        yield _counter("commands", "Commands ended", ["event_type", "status"], finished)
        yield _gauge("commands_unfinished", "Commands under way", self._service.queue.unfinished)

    def _security_events(self) -> Iterable[Metric]:
        recorded = {
            (kind,): count for kind, count in self._agent.counters.security_events.copy().items()
        }
        yield _counter("security_events", "Lines of the security log", ["type"], recorded)
        if self._security is not None:
            queue = self._security
            yield _gauge("security_events_waiting", "To be sent", queue.waiting_count)
            words = "Not sent: too many waited"
            yield _counter("security_events_dropped", words, [], {(): queue.dropped_count})


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, help_text, value=float(value))


def _gauges(name: str, help_text: str, labels: list[str], values: Mapping[Any, Any]) -> Metric:
    family = GaugeMetricFamily(_PREFIX + name, help_text, labels=labels)
    for key, value in values.items():
        if value is not None:
            family.add_metric(key, float(value))
    return family


def _counter(name: str, help_text: str, labels: list[str], values: Mapping[Any, float]) -> Metric:
    family = CounterMetricFamily(_PREFIX + name, help_text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, float(value))
    return family
