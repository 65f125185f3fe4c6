"""Would a contactor open without the agent: heartbeat output and kernel setting."""

from pathlib import Path

import pytest

from agent.config import parse_config
from agent.doctor.findings import Verdict
from agent.doctor.pins import SETTING, look_at_frozen_outputs

BOX = """
[charge_point]
identity = "CP-1"
[[connectors]]
id = 1
contactor = {{ driver = "gpio", pin = 17{first} }}
[[connectors]]
id = 2
contactor = {{ driver = "{second}", pin = 27 }}
"""


def findings(modules: Path, first: str = "", second: str = "simulated"):
    settings = parse_config(BOX.format(first=first, second=second))
    return list(look_at_frozen_outputs(settings, modules))


def kernel(folder: Path, driver: str, value: str) -> Path:
    parameter = folder / driver / SETTING
    parameter.parent.mkdir(parents=True)
    parameter.write_text(f"{value}\n")
    return folder


def test_a_contactor_without_a_heartbeat_is_told_and_one_that_is_simulated_is_not(tmp_path):
    missing, _ = findings(tmp_path)
    assert missing.verdict is Verdict.NOTE
    assert missing.words.startswith("connector 1 has no heartbeat output")
    fitted, other, _ = findings(tmp_path, ", heartbeat_pin = 22", "gpio")
    assert (fitted.verdict, other.verdict) == (Verdict.PASS, Verdict.NOTE)


@pytest.mark.parametrize("driver", ["pinctrl_bcm2835", "pinctrl_rp1"])
@pytest.mark.parametrize(
    ("value", "verdict", "then"),
    [("N", Verdict.PASS, ""), ("Y", Verdict.NOTE, "dtparam=strict_gpiod")],
)
def test_the_kernels_setting_is_told(tmp_path, driver, value, verdict, then):
    *_, found = findings(kernel(tmp_path, driver, value))
    assert found.verdict is verdict
    assert found.then.startswith(then)


def test_a_kernel_that_does_not_say_is_to_be_tried(tmp_path):
    *_, found = findings(tmp_path)
    assert found.verdict is Verdict.NOTE
    assert "does not say" in found.words


def test_a_box_without_real_contactors_has_nothing_to_tell(tmp_path):
    settings = parse_config(
        '[charge_point]\nidentity = "CP-1"\n[[connectors]]\nid = 1\n'
        'contactor = { driver = "simulated" }\n'
    )
    assert list(look_at_frozen_outputs(settings, tmp_path)) == []
