"""``chargepoint-agent safe-state`` as a process of its own, in surroundings that are broken."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hw.output_record import NAME, boot_id

REPOSITORY = Path(__file__).parents[2]
CONFIG = """
[charge_point]
identity = "CP-1"
[storage]
path = "{state}/agent.db"
[[connectors]]
id = 1
contactor = {{ driver = "gpio", pin = 18 }}
lock = {{ driver = "solenoid", pin = 22, feedback_pin = 23 }}
"""
RECORD = f"boot {boot_id()}\nlock 27 low connector 1 lock\ncontactor 17 low connector 1 contactor\n"
# The last process claimed 17 and 27; the file names 18 and 22 by now.
DRIVEN = {17: True, 18: True, 22: True, 27: True}
# Hides every package that is not Python's own, as on a box where pip broke off.
WITHOUT_PACKAGES = "import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p]"


@dataclass
class Box:
    """The surroundings of the command."""

    folder: Path

    def __post_init__(self) -> None:
        self.run, self.state, self.home = (self.folder / n for n in ("run", "state", "home"))
        for folder in (self.run, self.state, self.home):
            folder.mkdir()
            (folder / NAME).write_text(RECORD)
        (self.home / NAME).unlink()
        self.config = self.folder / "config.toml"
        self.config.write_text(CONFIG.format(state=self.state))
        self.pins = self.folder / "pins.json"
        outputs = {str(pin): level for pin, level in DRIVEN.items()}
        self.pins.write_text(json.dumps({"busy": [], "outputs": outputs}))
        self.options: dict[str, Any] = {"cwd": str(self.home)}
        self.before = ""  # Python before the command
        self.arguments = ["safe-state", "--config", str(self.config)]
        self.environment = {
            "RUNTIME_DIRECTORY": str(self.run),
            "STATE_DIRECTORY": str(self.state),
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
        }

    def code(self) -> str:
        return (
            f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n{self.before}\n"
            "from pathlib import Path\nfrom tests.emulators.gpio_chips import main\n"
            f"sys.exit(main(Path({str(self.pins)!r}), *{self.arguments!r}))"
        )

    def command(self) -> subprocess.CompletedProcess[bytes]:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **self.options}
        try:
            return subprocess.run(
                [sys.executable, "-c", self.code()],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                timeout=60,
                check=False,
                **options,
            )
        finally:
            if "stdout" in self.options:
                os.close(self.options["stdout"])

    def levels(self) -> dict[int, bool]:
        outputs = json.loads(self.pins.read_text())["outputs"]
        return {int(pin): level for pin, level in outputs.items()}


def nothing(box: Box) -> None:
    """As it should be."""


def working_directory_gone(box: Box) -> None:
    gone = box.folder / "gone"
    gone.mkdir()
    box.options["cwd"] = str(gone)
    box.before = f"import os; os.rmdir({str(gone)!r})"


def working_directory_read_only(box: Box) -> None:
    box.options["cwd"] = "/proc"


def no_home(box: Box) -> None:
    del box.environment["HOME"]


def locale_unknown(box: Box) -> None:
    box.environment |= {"LC_ALL": "xx_YY.UTF-9", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def locale_c(box: Box) -> None:
    box.environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    box.environment["PYTHONIOENCODING"] = "ascii:strict"


def a_path_that_is_no_text(box: Box) -> None:
    odd = box.folder / os.fsdecode(b"caf\xe9 \xf0\x9f\x94\x8c.toml")
    box.config.rename(odd)
    box.arguments[2] = str(odd)


def junk_on_the_path(box: Box) -> None:
    for name in ("gpiozero", "lgpio", "serial", "sitecustomize", "usercustomize", "pydantic"):
        (box.home / f"{name}.py").write_text("raise SystemError('junk')\n")
    box.environment["PYTHONPATH"] = str(box.home)


def no_packages(box: Box) -> None:
    box.before = WITHOUT_PACKAGES


def the_agent_is_half_there(box: Box) -> None:
    box.before = "sys.modules['agent.cli.main'] = sys.modules['agent.config'] = None"


def no_toml_parser(box: Box) -> None:
    box.before = "sys.modules['tomllib'] = None"


def outputs_full(box: Box) -> None:
    box.options["stdout"] = box.options["stderr"] = os.open("/dev/full", os.O_WRONLY)


def outputs_closed(box: Box) -> None:
    box.before = "import os; os.close(1); os.close(2); sys.stdout = sys.stderr = None"


def outputs_without_reader(box: Box) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    box.options["stdout"] = box.options["stderr"] = writer


def few_files_may_be_open(box: Box) -> None:
    box.options["preexec_fn"] = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))


def records_garbage(box: Box) -> None:
    (box.run / NAME).write_bytes(os.urandom(500) + b"\n" + RECORD.encode() + os.urandom(500))
    (box.state / NAME).write_bytes(b"\0" * 10_000_000)


def runtime_record_is_a_pipe(box: Box) -> None:
    (box.run / NAME).unlink()
    os.mkfifo(box.run / NAME)


def runtime_record_is_a_link(box: Box) -> None:
    (box.run / NAME).unlink()
    (box.run / NAME).symlink_to("/dev/zero")


def runtime_folder_gone(box: Box) -> None:
    (box.run / NAME).unlink()
    box.run.rmdir()


def state_folder_gone(box: Box) -> None:
    (box.state / NAME).unlink()
    box.state.rmdir()


def state_folder_is_a_file(box: Box) -> None:
    state_folder_gone(box)
    box.state.touch()


def no_environment(box: Box) -> None:
    """Run by hand: the records are beside the database that the file names."""
    del box.environment["RUNTIME_DIRECTORY"], box.environment["STATE_DIRECTORY"]


ALL_OFF = [
    nothing,
    working_directory_gone,
    working_directory_read_only,
    no_home,
    locale_unknown,
    locale_c,
    a_path_that_is_no_text,
    junk_on_the_path,
    no_packages,
    the_agent_is_half_there,
    no_toml_parser,
    outputs_full,
    outputs_closed,
    outputs_without_reader,
    few_files_may_be_open,
    records_garbage,
    runtime_record_is_a_pipe,
    runtime_record_is_a_link,
    runtime_folder_gone,
    state_folder_gone,
    state_folder_is_a_file,
    no_environment,
]


@pytest.mark.parametrize("surroundings", ALL_OFF, ids=lambda spoil: spoil.__name__)
def test_every_output_of_record_and_file_is_open_in_surroundings_that_are_broken(
    tmp_path: Path, surroundings: Callable[[Box], None]
) -> None:
    box = Box(tmp_path)
    surroundings(box)
    done = box.command()
    assert box.levels() == dict.fromkeys(DRIVEN, False), done.stderr
    assert done.returncode in (0, 1)
    assert b"Traceback" not in (done.stderr or b"")


def file_gone(box: Box) -> None:
    box.config.unlink()


def file_is_a_folder(box: Box) -> None:
    box.config.unlink()
    box.config.mkdir()


def file_is_a_pipe(box: Box) -> None:
    box.config.unlink()
    os.mkfifo(box.config)


def file_is_endless(box: Box) -> None:
    box.config.unlink()
    box.config.symlink_to("/dev/zero")


def file_is_empty(box: Box) -> None:
    box.config.write_text("")


def file_is_no_text(box: Box) -> None:
    box.config.write_bytes(b"\xff\xfe\x00\xd8" * 1000)


@pytest.mark.parametrize(
    "surroundings",
    [file_gone, file_is_a_folder, file_is_a_pipe, file_is_endless, file_is_empty, file_is_no_text],
    ids=lambda spoil: spoil.__name__,
)
def test_a_file_that_cannot_be_read_is_named_and_the_record_is_opened(
    tmp_path: Path, surroundings: Callable[[Box], None]
) -> None:
    box = Box(tmp_path)
    surroundings(box)
    done = box.command()
    assert box.levels() == {**DRIVEN, 17: False, 27: False}
    assert done.returncode == 78
    assert b"configuration: " in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "broken",
    ["[api]\nenabeld = true\n", '[api]\nlisten = "127.0.0.1', "]]]\n", "identity = 1\n"],
)
def test_a_mistake_in_the_file_is_told_after_everything_is_open(
    tmp_path: Path, broken: str
) -> None:
    box = Box(tmp_path)
    box.config.write_text(box.config.read_text() + broken)
    done = box.command()
    assert box.levels() == dict.fromkeys(DRIVEN, False)
    assert done.returncode == 78
    assert done.stdout.startswith(b"every output that is known is open")
    assert b"configuration: " in done.stderr


def test_contactors_go_before_locks_over_all_that_is_known(tmp_path: Path) -> None:
    box = Box(tmp_path)
    assert box.command().returncode == 0
    assert [pin for pin, _ in json.loads(box.pins.read_text())["log"]] == [17, 18, 27, 22]


def test_an_output_that_is_not_off_is_status_1_also_with_a_mistake_in_the_file(
    tmp_path: Path,
) -> None:
    box = Box(tmp_path)
    box.config.write_text(box.config.read_text() + "= broken\n")
    told = json.loads(box.pins.read_text())
    box.pins.write_text(json.dumps({**told, "busy": [17]}))
    done = box.command()
    assert box.levels() == {17: True, 18: False, 22: False, 27: False}
    assert done.returncode == 1
    assert b"connector 1 contactor, pin 17: not switched off: it is in use" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--bogus"], 2), (["--conf", "CONFIG"], 0), (["--config"], 2), (["--json", "x"], 2)],
)
def test_a_command_line_with_mistakes_opens_what_is_recorded_all_the_same(
    tmp_path: Path, arguments: list[str], status: int
) -> None:
    box = Box(tmp_path)
    box.arguments[1:] = [word.replace("CONFIG", str(box.config)) for word in arguments]
    done = box.command()
    assert (box.levels()[17], box.levels()[27]) == (False, False)
    assert done.returncode == status, done.stderr


def test_help_opens_nothing(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.arguments[1:] = ["--help"]
    done = box.command()
    assert box.levels() == DRIVEN
    assert b"open every output and exit" in done.stdout


def test_run_that_stops_for_good_over_a_mistake_leaves_every_output_open(tmp_path: Path) -> None:
    """Exit status 78 ends the restarts: nobody comes after it."""
    box = Box(tmp_path)
    box.config.write_text(box.config.read_text() + "[api]\nenabeld = true\n")
    box.arguments[0] = "run"
    done = box.command()
    assert done.returncode == 78
    assert box.levels() == dict.fromkeys(DRIVEN, False)
    assert b"did you mean enabled?" in done.stderr


@pytest.fixture
def box() -> Iterator[Box]:
    """A box at rest: nothing was claimed, nothing is on. (A socket's path must be short.)"""
    with tempfile.TemporaryDirectory(prefix="box-") as folder:
        box = Box(Path(folder))
        for place in (box.run, box.state):
            (place / NAME).unlink()
        box.pins.write_text('{"busy": [], "outputs": {}}')
        yield box


@contextlib.contextmanager
def running(box: Box) -> Iterator[subprocess.Popen[str]]:
    """The agent with real pins, when its outputs are safe and written down."""
    box.arguments[0] = "run"
    with subprocess.Popen(
        [sys.executable, "-c", box.code()],
        cwd=box.home,
        env=box.environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as agent:
        try:
            assert agent.stderr is not None
            said = ""
            while "No link to the central system" not in said:
                line = agent.stderr.readline()
                assert line, said
                said += line
            yield agent
        finally:
            agent.kill()
    box.arguments[0] = "safe-state"


@pytest.mark.real_time
def test_what_a_killed_process_drove_is_opened_though_the_file_was_changed(box: Box) -> None:
    with running(box) as agent:
        for folder in (box.run, box.state):
            lines = (folder / NAME).read_text().splitlines()
            assert lines[1:] == [
                "contactor 18 low connector 1 contactor",
                "lock 22 low connector 1 lock",
            ]
        agent.kill()
        agent.wait()
    box.config.write_text(box.config.read_text().replace("18", "19"))
    box.pins.write_text('{"busy": [], "outputs": {"18": true, "22": true}}')
    assert box.command().returncode == 0
    assert box.levels() == {18: False, 19: False, 22: False}
    assert not (box.run / NAME).exists()
    assert not (box.state / NAME).exists()


@pytest.mark.real_time
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_process_that_is_told_to_end_leaves_every_output_open(box: Box, number: int) -> None:
    with running(box) as agent:
        agent.send_signal(number)
        agent.communicate(timeout=60)
        assert agent.returncode == 0
    assert box.levels() == {18: False, 22: False}
    assert not (box.run / NAME).exists(), "nothing is left to open"


@pytest.mark.real_time
def test_a_second_start_touches_no_pin_of_the_first(box: Box) -> None:
    with running(box):
        before = box.pins.read_text()
        box.arguments[0] = "run"
        done = box.command()
        assert done.returncode == 1
        assert done.stderr.decode().splitlines() == [
            f"error: The database {box.state}/agent.db is in use: "
            "is another chargepoint-agent running?"
        ]
        assert box.pins.read_text() == before


def test_a_part_that_cannot_be_opened_ends_the_start_with_every_output_open(box: Box) -> None:
    box.pins.write_text('{"busy": [23], "outputs": {"18": true, "22": true}}')
    box.arguments[0] = "run"
    done = box.command()
    assert done.returncode == 1
    assert b"connector 1 lock feedback, pin 23: it is in use" in done.stderr
    assert not any(box.levels().values())
