"""What the acceptance test says when something is not as it should be, on a small box."""

from __future__ import annotations

import io
import json
import os
import pty
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.__main__ import main
from agent.cli.commissioning import acceptance, acceptance_report, acceptance_run
from agent.cli.commissioning.acceptance import TerminalPrompter
from agent.cli.commissioning.acceptance_report import Evidence, StepRecord
from agent.cli.commissioning.acceptance_run import AcceptanceContext, StepFailed, run_steps
from agent.cli.commissioning.acceptance_steps import STEPS
from agent.cli.main import parser
from agent.core.values import Instant
from agent.platform.errors import AgentError, ControlError, NoAgent

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOOD, BAD = "044943121F1A80", "DEADBEEF"
DEEDS = {
    "Plug the car in": "plug",
    "Hold a card that may": "tap",
    "Hold the same card": "tap",
    "Hold a card that must not": "tap bad",
    "Pull the plug out.": "unplug",
    "Pull the plug out at the car": "unplug",
    "Pull the network": "network off",
    "Put the network": "network on",
    "Let the grid operator's contact": "grid on",
    "Let the contact rest": "grid off",
    "At the central system: start": "remote start",
    "At the central system: stop": "remote stop",
    "Switch the supply": "power cut",
    "End the session": "unplug",
}


@dataclass
class SmallBox:
    """As much of a charger as ``status`` and ``why`` show, with levers for what goes wrong."""

    url: str = "ws://central.test"
    is_online: bool = True
    is_plugged: bool | None = False
    session: dict[str, Any] | None = None
    decisions: list[dict[str, Any]] = field(default_factory=list)
    queued: int = 0
    parked: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    elapsed_s: float = 0.0
    gone_for: int = 0  # so many questions stay without an answer
    is_limited: bool = False
    limit_ended_at: str | None = "12:01"
    # What goes wrong.
    accepts_everything: bool = False
    refuses_everything: bool = False
    contactor_is_stuck: bool = False
    is_deaf: bool = False  # goes on to offer what it did when the grid operator limits it
    parks_messages: bool = False
    resumes: bool = False
    ignores: set[str] = field(default_factory=set)

    def now(self) -> Instant:
        return Instant(self.elapsed_s, NOON + timedelta(seconds=self.elapsed_s))

    def ask(self, **request: Any) -> Any:
        match request:
            case {"do": "status"}:
                return self._status()
            case {"do": "why"}:
                return self.decisions[-1:]
            case {"do": "sim", "lever": "tap", "card": card}:
                self.does("tap" if card == GOOD else "tap bad")
            case {"do": "grid-limits"}:
                times = {"begun_at": "12:00", "ended_at": self.limit_ended_at}
                return [{**times, "limit": 4200.0, "unit": "W"}]
            case {"do": "sim", "lever": "grid-limit", "wanted": wanted}:
                self.does("grid on" if wanted else "grid off")
            case {"do": "sim", "lever": "network", "wanted": wanted}:
                self.does("network on" if wanted else "network off")
            case {"do": "sim", "lever": lever}:
                self.does(lever)

    def _status(self) -> dict[str, Any]:
        if self.gone_for > 0:
            self.gone_for -= 1
            raise NoAgent("no agent is running")
        self.elapsed_s += 0.1
        if self.is_online and not self.parks_messages:
            self.queued = 0
        if self.is_online and self.parks_messages and self.queued:
            self.parked.append({"action": "StopTransaction", "problem": "refused"})
            self.queued = 0
        charging = self.session is not None
        if self.session is not None:
            self.session["duration_s"] = self.elapsed_s - self.session["begun"]
        return {
            "faults": self.faults,
            "simulated": True,
            "grid_limit": {"limit": 4200.0, "unit": "W", "is_limited": self.is_limited},
            "link": {
                "url": self.url,
                "is_accepted": self.is_online and bool(self.url),
                "connected_since": "x" if self.is_online and self.url else None,
                "last_problem": "" if self.is_online else "nobody is there",
            },
            "outbox": {
                "queued_count": self.queued,
                "parked_count": len(self.parked),
                "parked": self.parked,
            },
            "connectors": [
                {
                    "id": 1,
                    "status": "Charging" if charging else self._at_rest(),
                    "in_words": "charging" if charging else "plugged in; waiting for a card",
                    "plugged": self.is_plugged,
                    "contactor": "closed" if charging or self.contactor_is_stuck else "open",
                    "lock": None,
                    "pilot": None,
                    "offered_current_a": 32.0 if self.is_deaf or not self.is_limited else 18.2,
                    "limit": {"current_a": 18.2 if self.is_limited else 32.0},
                    "meter": None,
                    "session": self.session,
                }
            ],
        }

    def _at_rest(self) -> str:
        return "Preparing" if self.is_plugged else "Available"

    def does(self, deed: str) -> None:
        """Somebody has done this."""
        if deed in self.ignores:
            return
        match deed:
            case "plug":
                self.is_plugged = True
            case "unplug":
                self._end()
                self.is_plugged = False
            case "tap" | "tap bad" | "remote start" if self.session is None:
                self._decide(deed)
            case "tap" | "remote stop":
                self._end()
            case "grid on" | "grid off":
                self.is_limited = deed == "grid on"
            case "network on" | "network off":
                self.is_online = deed == "network on"
            case "power cut":
                self.gone_for = 3
                if not self.resumes:
                    self._end()

    def _decide(self, deed: str) -> None:
        is_good = self.accepts_everything or (deed != "tap bad" and not self.refuses_everything)
        verdict = "accepted" if is_good else "refused"
        purpose = "remote start" if deed == "remote start" else "start"
        number = len(self.decisions)
        line = f"card 04..80 {verdict} ({purpose}): reason {number}"
        self.decisions.append({"verdict": verdict, "line": line, "purpose": purpose})
        if is_good and self.is_plugged is not False:
            self.session = {
                "ref": number,
                "transaction_id": 7,
                "energy_wh": 12,
                "begun": self.elapsed_s,
                "duration_s": 0.0,
            }
            self.queued += 1

    def _end(self) -> None:
        self.queued += 2 if self.session else 0
        self.session = None


class Person:
    """Does what the guide says, unless told otherwise; time passes while waiting."""

    def __init__(self, box: SmallBox, keys: str = "") -> None:
        self._box = box
        self._keys = list(keys)
        self.said: list[str] = []
        self.is_handy = True

    def tell(self, *lines: str) -> None:
        self.said += lines
        for line in lines:
            for words, deed in DEEDS.items():
                if self.is_handy and line.startswith(f"  > {words}"):
                    self._box.does(deed)

    def wait(self, for_s: float, words: str, left_s: float) -> str:
        self._box.elapsed_s += for_s
        return self._keys.pop(0) if self._keys else ""


def context_for(box: SmallBox, person: Person, **changes: Any) -> AcceptanceContext:
    context = AcceptanceContext(
        ask=box.ask,
        now=box.now,
        prompter=person,
        save=lambda: None,
        connector_id=1,
        is_automatic=False,
        card=GOOD,
        refused_card=BAD,
        charge_s=10,
        limit_s=60,
        boot_id="boot-1",
    )
    return replace(context, **changes)


def walked(
    *names: str, box: SmallBox | None = None, keys: str = "", **changes: Any
) -> dict[str, StepRecord]:
    """The records of these steps, walked by a person, or by themselves (is_automatic)."""
    box = box or SmallBox()
    person = Person(box, keys)
    person.is_handy = not changes.get("is_automatic", False)
    told = Evidence({}, "")
    steps = [step for step in STEPS if not names or step.name in names]
    run_steps(steps, context_for(box, person, **changes), told)
    return {record.name: record for record in told.steps}


# --- when all is well ----------------------------------------------------------------------------


def test_a_person_walks_through_everything():
    box = SmallBox()
    records = walked(box=box)
    assert {name: (record.result, record.problem) for name, record in records.items()} == {
        step.name: ("passed", "") for step in STEPS
    }
    assert any("accepted (remote start)" in fact for fact in records["remote"].facts)
    assert "3 messages wait on the disk" in " ".join(records["offline"].facts)
    limited = " ".join(records["grid-limit"].facts)
    assert "limited to 4200 W: 18.2 A offered, 32 A before" in limited
    assert "kept as a proof: 12:00 to 12:01, 4200 W" in limited
    assert box.session is None
    assert not box.is_plugged


def test_a_box_that_cannot_see_a_plug_is_walked_too():
    records = walked("rfid", box=SmallBox(is_plugged=None, ignores={"plug", "unplug"}))
    assert records["rfid"].result == "passed", records["rfid"].problem


def test_a_session_that_goes_on_after_the_power_cut_is_ended_by_its_card():
    records = walked("power-cut", box=SmallBox(resumes=True))
    assert records["power-cut"].result == "passed", records["power-cut"].problem
    assert any("goes on" in fact for fact in records["power-cut"].facts)


def test_without_a_central_system_its_steps_are_left_out():
    records = walked(box=SmallBox(url="", is_online=False))
    assert {name for name, record in records.items() if record.result == "skipped"} == {
        "remote",
        "offline",
    }
    assert "failed" not in {record.result for record in records.values()}


@pytest.mark.parametrize("has_contact", [True, False])
def test_only_a_box_with_a_grid_operators_contact_has_its_step(has_contact):
    options = parser().parse_args(["acceptance"])
    status = {"grid_limit": {}} if has_contact else {}
    steps = [step.name for step in acceptance._chosen_steps(options, status)]
    assert ("grid-limit" in steps) == has_contact
    assert {"ready", "power-cut"} < set(steps)


def test_simulated_hardware_without_an_operator_or_a_switch_leaves_steps_out():
    records = walked(is_automatic=True)
    assert records["remote"].result == "skipped"
    assert "not done at the central system" in records["remote"].problem
    assert records["power-cut"].result == "skipped"
    others = {n: r.result for n, r in records.items() if n not in ("remote", "power-cut")}
    assert set(others.values()) == {"passed"}, others


def test_a_wait_for_a_central_system_where_nobody_may_sit_says_how_it_ends():
    box = SmallBox()
    person = Person(box)
    person.is_handy = False
    remote = [step for step in STEPS if step.name == "remote"]
    run_steps(remote, context_for(box, person, is_automatic=True), Evidence({}, ""))
    told = "    Is nobody at the central system? After 60 s the step is left out."
    at = person.said.index(told)
    assert person.said[at + 1].startswith("  > At the central system: start a session")


# --- when something is wrong ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "box", "problem"),
    [
        ("ready", SmallBox(faults=["emergency stop pressed"]), "emergency stop pressed"),
        ("ready", SmallBox(is_online=False), "not accepted by ws://central.test: nobody is"),
        ("ready", SmallBox(is_plugged=True, ignores={"unplug"}), "a connector that is free: not"),
        ("rfid", SmallBox(refuses_everything=True), "card 04..80 refused (start): reason 0"),
        ("rfid", SmallBox(ignores={"plug"}), "a plug: not seen within 60 s; it says: plugged"),
        ("rfid", SmallBox(parks_messages=True), "parked: StopTransaction: refused"),
        ("refused-card", SmallBox(accepts_everything=True), "this card may charge: card 04..80"),
        ("refused-card", SmallBox(contactor_is_stuck=True), "the card was refused, and still"),
        ("remote", SmallBox(is_online=False), "has not accepted this box: nobody is there"),
        ("remote", SmallBox(ignores={"remote start"}), "a session: not seen within 60 s"),
        ("offline", SmallBox(ignores={"network off"}), "a link that is down: not seen within 400"),
        ("offline", SmallBox(ignores={"network on"}), "no central system has accepted it"),
        ("offline", SmallBox(refuses_everything=True), "card 04..80 refused"),
        ("unplug", SmallBox(ignores={"unplug"}), "the end of the session: not seen within 60 s"),
        ("grid-limit", SmallBox(ignores={"grid on"}), "the limit: not seen within 60 s"),
        ("grid-limit", SmallBox(is_deaf=True), "the limit: not seen within 60 s"),
        ("grid-limit", SmallBox(limit_ended_at=None), "grid-limits does not tell begin and end"),
        ("grid-limit", SmallBox(ignores={"grid off"}), "the end of the limit: not seen"),
        ("power-cut", SmallBox(ignores={"power cut"}), "the power was not cut"),
        ("power-cut", SmallBox(contactor_is_stuck=True), "closed without a session"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_fails_its_step_with_what_was_seen(step, box, problem):
    record = walked(step, box=box)[step]
    assert record.result == "failed"
    assert problem in record.problem


def test_a_fault_is_told_where_something_is_waited_for():
    box = SmallBox(ignores={"tap"}, faults=[])
    box.faults.append("cabinet door open")
    assert "fault: cabinet door open" in walked("rfid", box=box)["rfid"].problem


@pytest.mark.parametrize(
    ("key", "result", "problem"),
    [("s", "skipped", "left out by the person"), ("f", "failed", "says the person")],
)
def test_a_person_may_leave_a_step_out_or_fail_it(key, result, problem):
    records = walked("rfid", "unplug", box=SmallBox(ignores={"tap"}), keys=key, limit_s=5)
    assert (records["rfid"].result, problem in records["rfid"].problem) == (result, True)
    assert records["unplug"].problem.startswith("a session: not seen")  # the others go on


def test_an_agent_that_is_gone_fails_the_step():
    assert "does not answer" in walked("rfid", box=SmallBox(gone_for=10**6))["rfid"].problem


def test_a_lever_that_is_refused_fails_the_step_with_the_reason():
    box = SmallBox()

    def ask(**request: Any) -> Any:
        if request["do"] == "sim":
            raise ControlError("the lock holds the plug")
        return box.ask(**request)

    record = walked("rfid", box=box, is_automatic=True, ask=ask)["rfid"]
    assert (record.result, record.problem) == ("failed", "the lock holds the plug")


def test_a_command_that_cannot_cut_the_power_fails_the_step():
    def cut() -> None:
        raise StepFailed("--power-cut-command ended with status 3")

    record = walked("power-cut", is_automatic=True, cut_power=cut)["power-cut"]
    assert record.problem == "--power-cut-command ended with status 3"


def test_a_simulated_network_is_mended_even_when_the_step_fails():
    box = SmallBox(refuses_everything=True)
    assert walked("offline", box=box, is_automatic=True)["offline"].result == "failed"
    assert box.is_online


@pytest.mark.parametrize(
    ("command", "problem"),
    [("false", "ended with status 1"), ("/nowhere/x", "No such file"), ("'", "No closing")],
)
def test_the_command_for_the_power_cut_is_told_with_its_mistake(command, problem):
    with pytest.raises(StepFailed, match=problem):
        acceptance._cut_power(command)


# --- the power cut in two processes --------------------------------------------------------------


class PowerWentOff(BaseException):
    """The end of the process."""


def test_after_a_real_power_cut_the_walk_goes_on_where_it_was(tmp_path):
    box, file = SmallBox(), tmp_path / "evidence"
    person = Person(box)
    told = Evidence({"identity": "CP-1"}, "2026-03-01T12:00:00+00:00")

    def off() -> None:
        box.does("power cut")
        raise PowerWentOff

    context = context_for(
        box, person, save=lambda: acceptance_report.save(told, file), cut_power=off
    )
    steps = [step for step in STEPS if step.name in ("ready", "power-cut")]
    with pytest.raises(PowerWentOff):
        run_steps(steps, context, told)

    again = acceptance_report.load(file.with_suffix(".json"))
    assert again.result == "incomplete"
    ready = again.step("ready")
    context = context_for(
        box, person, boot_id="boot-2", save=lambda: acceptance_report.save(again, file)
    )
    run_steps(steps, context, again, may_go_on=True)
    assert again.result == "passed", again.as_text()
    assert again.step("ready") == ready
    record = again.step("power-cut")
    assert record is not None
    assert any("booted anew" in fact for fact in record.facts)
    assert sum("accepted (start)" in fact for fact in record.facts) == 1


def test_a_step_that_was_broken_off_is_begun_anew(tmp_path):
    box = SmallBox()
    told = Evidence({}, "", [StepRecord("rfid", "x", "", facts=["old"])])
    steps = [step for step in STEPS if step.name == "rfid"]
    run_steps(steps, context_for(box, Person(box)), told, may_go_on=True)
    (record,) = told.steps
    assert record.result == "passed"
    assert "old" not in record.facts


# --- the files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"format": 2}', '{"format": 1, "about": {}, "began_at": "", "steps": [{}]}'],
)
def test_a_file_that_is_no_evidence_is_told_so(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(AgentError, match="is no evidence file"):
        acceptance_report.load(tmp_path / "x.json")


def test_a_file_that_is_not_there_is_told_so(tmp_path):
    with pytest.raises(AgentError, match="cannot read"):
        acceptance_report.load(tmp_path / "none.json")


def test_a_folder_that_cannot_be_written_is_told_so(tmp_path):
    with pytest.raises(AgentError, match="cannot write"):
        acceptance_report.save(Evidence({}, ""), tmp_path / "none" / "x")


def test_ctrl_c_leaves_no_half_written_evidence(tmp_path, monkeypatch):
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        acceptance_report.save(Evidence({}, ""), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_the_evidence_says_incomplete_while_nothing_failed_and_not_all_passed():
    told = Evidence(
        {}, "", [StepRecord("a", "A", "", "passed"), StepRecord("b", "B", "", "skipped")]
    )
    assert told.result == "incomplete"
    told.steps[0].result = "failed"
    assert told.result == "failed"


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def small_box(monkeypatch: Any) -> SmallBox:
    box = SmallBox()
    monkeypatch.setattr(acceptance.paths, "asker", lambda config: box.ask)
    monkeypatch.setattr(TerminalPrompter, "wait", lambda self, for_s, words, left_s: "")
    return box


def run(tmp_path: Path, *words: str, tap_guard_s: float = 0) -> int:
    config = tmp_path / "config.toml"
    config.write_text(
        '[charge_point]\nidentity = "A/1"\n[[connectors]]\nid = 1\n'
        f'contactor = {{ driver = "simulated" }}\n[authorization]\ntap_guard_s = {tap_guard_s}\n'
    )
    return main(["acceptance", "--config", str(config), "--charge-s", "0.1", *words])


@pytest.mark.parametrize(("asked", "charges_for_s"), [("2", 7.5), ("10", 10)])
def test_it_charges_until_the_same_card_may_end_the_session(
    small_box, tmp_path, monkeypatch, asked, charges_for_s
):
    seen: list[AcceptanceContext] = []
    monkeypatch.setattr(
        acceptance_run, "run_steps", lambda steps, context, *_, **__: seen.append(context)
    )
    assert run(tmp_path, "--charge-s", asked, tap_guard_s=7.5) == 0
    assert [context.charge_s for context in seen] == [charges_for_s]


def test_the_names_of_the_files_say_which_box_and_when(small_box, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(tmp_path, "--only", "ready,rfid,unplug") == 0
    out = capsys.readouterr().out
    assert "Acceptance test: passed" in out
    names = sorted(path.name for path in tmp_path.glob("acceptance-A_1-2*"))
    assert [name.rpartition(".")[2] for name in names] == ["json", "txt"]


def test_a_failed_step_is_exit_status_1_and_json_is_alone_on_standard_output(
    small_box, tmp_path, capsys
):
    small_box.refuses_everything = True
    words = ["--json", "--only", "rfid", "--evidence", str(tmp_path / "e")]
    assert run(tmp_path, *words) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["result"] == "failed"
    assert "FAIL  card 04..80 refused" in captured.err


def test_what_is_asked_for_wrongly_is_told_before_anything_is_done(small_box, tmp_path, capsys):
    assert run(tmp_path, "--only", "coffee") == 1
    assert "there is no step 'coffee'; the steps are ready, rfid" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.toml"]


def test_real_hardware_is_not_taken_for_simulated(small_box, tmp_path, capsys, monkeypatch):
    def real(**request: Any) -> Any:
        return {**small_box._status(), "simulated": False}

    monkeypatch.setattr(acceptance.paths, "asker", lambda config: real)
    assert run(tmp_path, "--simulated") == 1
    assert "real hardware" in capsys.readouterr().err


# --- the terminal --------------------------------------------------------------------------------


def test_a_key_at_the_terminal_is_heard_while_waiting():
    master, slave = pty.openpty()
    with open(slave) as keyboard:
        prompter = TerminalPrompter(io.StringIO(), keyboard)
        assert prompter.wait(0.01, "a plug", 5) == ""
        os.write(master, b"Skip\n")
        assert prompter.wait(5, "a plug", 5) == "s"
        os.close(master)


def test_without_a_keyboard_it_only_waits():
    prompter = TerminalPrompter(io.StringIO(), io.StringIO("s\n"))
    assert prompter.wait(0.01, "a plug", 5) == ""


def test_on_a_terminal_the_seconds_are_counted_in_one_line_that_goes_away():
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

        def fileno(self) -> int:
            raise io.UnsupportedOperation

    screen = Screen()
    prompter = TerminalPrompter(screen, io.StringIO())
    prompter.wait(0, "a plug", 12)
    prompter.tell("done")
    assert screen.getvalue() == "\r\x1b[K    waiting for a plug, 12 s left\r\x1b[Kdone\n"


@pytest.mark.parametrize("seconds", ["nan", "0", "-1", "inf", "soon"])
def test_a_wait_without_an_end_is_not_taken(seconds, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["acceptance", "--limit-s", seconds])
    assert "must be a number of seconds up to 86400" in capsys.readouterr().err
