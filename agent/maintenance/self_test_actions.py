"""What a technician at the box asks the running agent for: self-test, and that a part is mended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent.config.config_file import settings_as_data
from agent.control.server import Action
from agent.control.services import Services
from agent.core.events import ContactorMended
from agent.maintenance.findings import FindingVerdict
from agent.maintenance.self_test import SelfTest
from agent.maintenance.self_test_attempts import SelfTestAttempts
from agent.platform.errors import ControlError
from agent.platform.file_problems import reason
from agent.platform.whole_file import write_whole
from agent.runtime.supervision import Supervisor
from agent.runtime.supervision_loop import Supervision

FINDINGS_MAX = 200
WORDS_MAX = 500  # characters of one text of a finding
TEXT_MAX = 1000  # and with what the command adds


class SelfTestActions:
    """The actions of the control socket. On the agent's loop."""

    def __init__(
        self,
        services: Services,
        supervisor: Supervisor,
        supervision: Supervision,
    ) -> None:
        threads = services.threads

        async def read_meter(read: Callable[[], Any]) -> Any:
            return await asyncio.get_running_loop().run_in_executor(threads.meters, read)

        self._services = services
        self._work = threads.support
        attempts = SelfTestAttempts(services, supervisor, supervision, read_meter)
        self._self_test = SelfTest(services, attempts)
        self._record = services.settings.storage_path.parent / "self-test.json"

    def by_name(self) -> Mapping[str, Action]:
        """What the control socket can ask for."""
        return {
            "self_test": self._test,
            "acknowledge": self._acknowledge,
            "settings": self._settings,
        }

    async def _settings(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """How this agent is configured: for the doctor. Secrets are files of their own."""
        return settings_as_data(self._services.settings)

    async def _acknowledge(self, request: Mapping[str, Any]) -> dict[str, Any]:
        connector_id = request.get("connector")
        known = [connector.connector_id for connector in self._services.runtime.state.connectors]
        if isinstance(connector_id, bool) or connector_id not in known:
            raise ControlError(f"connector must be one of {known}")
        reply = await self._services.runtime.ask(lambda id: ContactorMended(connector_id, id))
        if reply.status != "Accepted":
            raise ControlError(f"connector {connector_id}: {reply.detail}")
        return {"detail": reply.detail or "sessions may begin again"}

    async def _test(self, request: Mapping[str, Any]) -> Any:
        match request.get("what"):
            case "steps":
                return [
                    {"name": s.name, "moves": s.moves, "wants": s.wants, "confirm": s.confirm}
                    for s in self._self_test.steps.values()
                ]
            case "begin":
                await self._self_test.check_that_it_may_begin()
                return {}
            case "try":
                finding = await self._self_test.try_step(str(request.get("step", "")))
                return {key: text[:WORDS_MAX] for key, text in finding.as_data().items()}
            case "store":
                return await self._store(_checked(request.get("findings")))
            case "last":
                return await self._work(_read_record, self._record)
            case other:
                raise ControlError(f"there is no part {other!r} of a self-test")

    async def _store(self, findings: list[dict[str, str]]) -> dict[str, Any]:
        record = {
            "time": self._services.clock.now().utc.isoformat(timespec="seconds"),
            "identity": self._services.settings.charge_point.identity,
            "ok": all(finding["verdict"] != FindingVerdict.FAIL.value for finding in findings),
            "findings": findings,
        }
        await self._work(_write_record, self._record, record)
        return {"path": str(self._record)}


def _checked(findings: Any) -> list[dict[str, str]]:
    """Findings as the command hands them in; ControlError for anything else."""
    keys, verdicts = (
        {"step", "verdict", "words", "then"},
        {verdict.value for verdict in FindingVerdict},
    )
    is_good = isinstance(findings, list) and len(findings) <= FINDINGS_MAX
    for finding in findings if is_good else ():
        is_good = (
            is_good
            and isinstance(finding, dict)
            and set(finding) == keys
            and all(isinstance(text, str) and len(text) <= TEXT_MAX for text in finding.values())
            and finding["verdict"] in verdicts
        )
    if not is_good:
        raise ControlError("the findings of a self-test cannot be read")
    return list(findings)


def _write_record(path: Path, record: dict[str, Any]) -> None:
    try:
        write_whole(path, json.dumps(record, indent=2, ensure_ascii=False).encode())
    except OSError as problem:
        raise ControlError(f"cannot write {path}: {reason(problem, path)}") from problem


def _read_record(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ControlError("no self-test has been done here yet") from None
    except (OSError, ValueError) as problem:
        raise ControlError(f"{path} cannot be read: {problem}") from problem
