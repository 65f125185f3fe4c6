"""The reference, the man page and the completions know every command and every option."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.cli.main import parser
from agent.cli.manual.completion import completion
from agent.cli.manual.man import man_page
from agent.cli.manual.markdown import markdown
from agent.cli.manual.tree import COMMON, CliCommand, commands_of

ROOT = Path(__file__).parents[3]
COMMANDS = [command for command in commands_of(parser()) if command.words]
LEAVES = [command for command in COMMANDS if not command.inner]
LIMIT_S = 30


def name_of(command: CliCommand) -> str:
    return " ".join(command.words)


def shell(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is missing: apt install {name}")
    return found


def run(*words: str, **how: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=True, **how)
    assert done.stderr == ""
    return done.stdout


# --- what there is -------------------------------------------------------------------------------


def test_the_tree_has_every_command_and_what_it_takes():
    by_name = {name_of(command): command for command in COMMANDS}
    assert {"run", "status", "list", "list import", "sim", "sim tap", "init"} <= set(by_name)
    tap = by_name["sim tap"]
    assert tap.usage == "sim tap UID [--connector N]"
    assert by_name["token new"].usage == "token new NAME --scopes SCOPES"
    assert by_name["list"].inner == ("show", "add", "name", "remove", "import", "export")
    (wanted,) = (a for a in by_name["sim energy"].arguments if not a.flags)
    assert wanted.choices == ("on", "off")


def test_a_program_of_its_own_is_told_whole():
    main = argparse.ArgumentParser("x", description="what it is")
    main.add_subparsers().add_parser("one", help="does 100 %% of it").add_argument("--a", nargs="?")
    program, one = commands_of(main)
    assert program.help == "what it is"
    assert one.help == "does 100 % of it"
    assert one.arguments[0].name == "--a A"


def test_every_command_and_every_argument_is_explained():
    unexplained = [name_of(command) for command in COMMANDS if not command.help]
    for command in COMMANDS:
        unexplained += [f"{name_of(command)} {a.name}" for a in command.arguments if not a.help]
    assert unexplained == []


# --- documents -----------------------------------------------------------------------------------


def test_the_reference_in_the_documents_is_fresh():
    made = markdown(parser())
    wanted = "chargepoint-agent manual markdown > docs/commands.md"
    assert (ROOT / "docs/commands.md").read_text() == made, f"run: {wanted}"


@pytest.mark.parametrize("command", COMMANDS, ids=name_of)
def test_the_reference_has_every_command_with_every_option(command):
    heading = f"{'#' * (1 + len(command.words))} {name_of(command)}\n"
    section = markdown(parser()).partition(f"\n{heading}")[2].partition("\n#")[0]
    assert section
    for argument in command.arguments:
        if not set(argument.flags) & set(COMMON):
            name = argument.name.replace("|", "\\|")
            assert f"| `{name}` | " in section


@pytest.mark.parametrize("command", LEAVES, ids=name_of)
def test_the_man_page_has_every_command_with_every_option(command):
    page = man_page(parser()).replace("\\-", "-")
    section = page.partition(f'\n.SS "{command.usage}"\n')[2].partition("\n.S")[0]
    assert section
    for argument in command.arguments:
        if argument.flags and argument.flags[0] not in COMMON:
            assert f"\\fB{argument.flags[0]}\\fR" in section


def test_nothing_in_the_man_page_is_an_order_by_accident():
    orders = {line.split()[0] for line in man_page(parser()).splitlines() if line[0] in ".'"}
    assert orders == {".TH", ".SH", ".SS", ".TP", ".B", ".I", ".br"}


def test_groff_has_nothing_to_complain_about(tmp_path):
    page = tmp_path / "page.1"
    page.write_text(man_page(parser()))
    text = run(shell("groff"), "-man", "-Tascii", "-ww", "-P-c", "-rLL=78n", str(page))
    assert "EXIT STATUS" in re.sub(".\b", "", text)
    lines = re.sub(".\b", "", text).splitlines()
    assert max(map(len, lines)) <= 80


# --- completion ----------------------------------------------------------------------------------

OFFERED = (
    (["sta"], {"status"}),
    (["list", ""], {"show", "add", "name", "remove", "import", "export"}),
    (["list", "show", "--"], {"--limit", "--offset", "--config", "--json"}),
    (["sim", "energy", "o"], {"on", "off"}),
    (["sim", "--connector", "1", "energy", "of"], {"off"}),
    (["completion", ""], {"bash", "zsh", "fish"}),
    (["init", "--page", ""], {"yes", "no"}),
    (["queue", "re"], {"retry"}),
    (["sim", "fault", "pilot"], {"pilot_short", "pilot_silent"}),
    (["--ver"], {"--version"}),
)


def by_bash(script: Path, words: list[str]) -> set[str]:
    typed = " ".join(f"'{word}'" for word in ["chargepoint-agent", *words])
    asked = (
        f"source {script}; COMP_WORDS=({typed}); COMP_CWORD={len(words)}; "
        '_chargepoint_agent; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return set(run(shell("bash"), "--norc", "-c", asked).split())


def by_zsh(script: Path, words: list[str]) -> set[str]:
    typed = " ".join(f"'{word}'" for word in ["chargepoint-agent", *words])
    asked = (
        'compadd() { shift; print -l -- "$@" }; _files() { print FILES }; '
        f"source {script}; words=({typed}); CURRENT={len(words) + 1}; _chargepoint_agent"
    )
    # What zsh itself compares with the word that is typed.
    return {word for word in run(shell("zsh"), "-f", "-c", asked).split() if _begins(word, words)}


def by_fish(script: Path, words: list[str]) -> set[str]:
    line = " ".join(["chargepoint-agent", *words])
    told = run(shell("fish"), "--no-config", "-c", f"source {script}; complete -C '{line}'")
    return {row.split("\t")[0] for row in told.splitlines()}


def _begins(word: str, words: list[str]) -> bool:
    return word.startswith(words[-1])


@pytest.mark.parametrize(("words", "wanted"), OFFERED, ids=lambda value: " ".join(sorted(value)))
@pytest.mark.parametrize("ask", [by_bash, by_zsh, by_fish], ids=["bash", "zsh", "fish"])
def test_a_shell_offers_what_may_come_next(tmp_path, ask, words, wanted):
    script = tmp_path / "script"
    script.write_text(completion(parser(), ask.__name__.removeprefix("by_")))
    offered = ask(script, words) - {"-h", "--help"}
    assert offered == wanted


def test_where_a_file_is_wanted_a_shell_offers_files(tmp_path):
    script = tmp_path / "script"
    script.write_text(completion(parser(), "bash"))
    assert by_bash(script, ["list", "import", ""]) == set()  # "-o default": bash takes files
    assert by_bash(script, ["status", "--config", ""]) == set()
    script.write_text(completion(parser(), "zsh"))
    asked = by_zsh(script, ["list", "import", ""])
    assert asked == {"FILES"}


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_script_knows_every_command(name):
    script = completion(parser(), name)
    for command in COMMANDS:
        assert "/" + "/".join(command.words) in script


# --- the commands --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "beginning"),
    [
        (["completion", "bash"], "# Completion of chargepoint-agent for bash"),
        (["completion", "zsh"], "#compdef chargepoint-agent"),
        (["completion", "fish"], "# Completion of chargepoint-agent for fish"),
        (["manual", "man"], ".TH CHARGEPOINT"),
        (["manual", "markdown"], "# Commands"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_each_is_printed_by_a_command(capsys, words, beginning):
    assert main(words) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(beginning)
    assert captured.err == ""


def test_they_are_made_without_any_package_as_make_install_does(tmp_path):
    """``make install`` asks the system's Python, which has none of the agent's libraries."""
    made = run(shell("python3"), "-S", "-B", "-m", "agent", "completion", "bash", cwd=str(ROOT))
    assert made == completion(parser(), "bash")


def test_make_install_puts_them_where_shells_and_man_look(tmp_path):
    run(shell("make"), "-s", "-C", str(ROOT), "install-manual", f"DESTDIR={tmp_path}")
    share = tmp_path / "usr/local/share"
    assert (share / "man/man1/chargepoint-agent.1").read_text() == man_page(parser())
    for place, name in (
        ("bash-completion/completions/chargepoint-agent", "bash"),
        ("zsh/site-functions/_chargepoint-agent", "zsh"),
        ("fish/vendor_completions.d/chargepoint-agent.fish", "fish"),
    ):
        assert (share / place).read_text() == completion(parser(), name)
    run(shell("make"), "-s", "-C", str(ROOT), "uninstall", f"DESTDIR={tmp_path}")
    assert [path for path in share.rglob("*") if path.is_file()] == []


# --- a command line that is not finished ---------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "names"),
    [([], ["status", "doctor"]), (["list"], ["import", "export"]), (["sim"], ["plug", "tap"])],
    ids=["nothing", "list", "sim"],
)
def test_without_a_command_there_is_a_list_of_them_and_nothing_was_done(words, names, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert all(f"\n    {name} " in told.out for name in names)
    assert told.err == ""


def test_the_version_is_shown(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert capsys.readouterr().out == f"chargepoint-agent {version}\n"
