"""The self-test of a running box: what is tried, what it finds, and when it is refused."""

from __future__ import annotations

import asyncio
import json

import pytest

from agent.control.server import ANSWER_S
from agent.core.faults import Fault
from agent.platform.errors import ControlError
from hw.simulated.front_panel import SimulatedIndicator
from tests.app.box import Box, running_box

MOVING = ("lock-1", "contactor-1")
QUIET = (
    "emergency_stop",
    "residual_current",
    "door",
    "grid_limit",
    "plug-1",
    "pilot-1",
    "meter-1",
    "reader",
)


async def attempt(box: Box, step: str) -> tuple[str, str]:
    """Verdict and words of one step."""
    finding = await box.do("self_test", what="try", step=step)
    assert finding["step"] == step
    assert (finding["verdict"] in ("pass", "note")) or finding["then"], "what to check next"
    return finding["verdict"], finding["words"]


def faults_of(box: Box) -> frozenset[Fault]:
    assert box.application.runtime is not None
    return box.application.runtime.state.faults | box.state.faults


async def test_a_box_in_order_passes_every_step_and_is_left_as_it_was(tmp_path):
    async with running_box(tmp_path) as box:
        steps = [step["name"] for step in await box.do("self_test", what="steps")]
        assert set(MOVING + QUIET) < set(steps)
        for step in (*QUIET, *MOVING, "indicator"):
            assert (await attempt(box, step))[0] == "pass", step
        history = [what for _, what in box.contactor.contacts.history]
        assert history == ["coil on", "contacts closed", "coil off", "contacts open"]
        await asyncio.sleep(1)
        assert faults_of(box) == frozenset()
        assert (await box.status())["lock"] == "unlocked"
        await box.charge()  # and a driver is welcome


async def test_a_step_that_waits_for_a_person_says_how_long(tmp_path):
    async with running_box(tmp_path) as box:
        wants = {step["name"]: step["wants"] for step in await box.do("self_test", what="steps")}
        asked = {name: words for name, words in wants.items() if words}
        assert asked.pop("card").endswith("It waits up to 25 s.")
        assert set(asked) == {f"{name}-try" for name in QUIET[:4]}
        for words in asked.values():
            assert words.endswith("It waits up to 14 s for each.")


@pytest.mark.parametrize(
    ("fault", "step", "words"),
    [
        ("door", "door", "cabinet door open"),
        ("meter_silent", "meter-1", "does not answer"),
        ("meter_nan", "meter-1", "gives nan"),
        ("reader_hang", "reader", "card reader does not work"),
        ("lock_jam", "lock-1", "not locked within 12 s"),
        ("does_not_close", "contactor-1", "did not close"),
        ("opens_by_itself", "contactor-1", "did not close"),
    ],
)
async def test_what_is_broken_is_found_and_named(tmp_path, fault: str, step: str, words: str):
    async with running_box(tmp_path) as box:
        await box.do("sim", lever="fault", name=fault)
        await asyncio.sleep(2)
        verdict, told = await attempt(box, step)
        assert verdict == "fail"
        assert words in told


async def test_contacts_that_weld_during_the_test_are_found_and_lock_the_box(tmp_path):
    async with running_box(tmp_path) as box:
        trying = asyncio.create_task(attempt(box, "contactor-1"))
        await box.until(lambda: box.contactor.is_closed)
        await box.do("sim", lever="fault", name="welded")
        assert await trying == ("fail", "welded")
        assert await attempt(box, "contactor-1") == (
            "fail",
            "its contacts are closed without an order",
        )
        assert Fault.CONTACTOR_WELDED in faults_of(box)


async def test_a_plug_that_comes_during_the_test_opens_at_once(tmp_path):
    async with running_box(tmp_path) as box:
        trying = asyncio.create_task(attempt(box, "contactor-1"))
        await box.until(lambda: box.contactor.is_closed)
        await box.plug()
        await asyncio.sleep(0.01)
        assert not box.contactor.is_closed
        await trying
        assert Fault.SELF_TEST not in faults_of(box)


async def test_an_emergency_stop_opens_during_the_test(tmp_path):
    async with running_box(tmp_path) as box:
        trying = asyncio.create_task(attempt(box, "contactor-1"))
        await box.until(lambda: box.contactor.is_closed)
        await box.do("sim", lever="fault", name="emergency_stop")
        await asyncio.sleep(0.01)
        assert not box.contactor.is_closed
        await trying


async def test_during_a_session_nothing_moves_and_the_session_goes_on(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        for step in (*MOVING, "indicator"):
            with pytest.raises(ControlError, match="no self-test now: connector 1: a session runs"):
                await attempt(box, step)
        with pytest.raises(ControlError, match="a session runs"):
            await box.do("self_test", what="begin")
        assert box.contactor.is_closed
        assert (await attempt(box, "meter-1"))[0] == "pass"  # looking disturbs nobody


async def test_two_at_a_time_are_refused(tmp_path):
    async with running_box(tmp_path) as box:
        first = asyncio.create_task(attempt(box, "lock-1"))
        await asyncio.sleep(0)
        with pytest.raises(ControlError, match="another self-test is at work"):
            await attempt(box, "contactor-1")
        assert (await first)[0] == "pass"


async def test_a_button_and_a_card_are_waited_for(tmp_path):
    async with running_box(tmp_path) as box:
        pressed = asyncio.create_task(attempt(box, "emergency_stop-try"))
        await asyncio.sleep(3)
        await box.do("sim", lever="fault", name="emergency_stop")
        await asyncio.sleep(3)
        await box.do("sim", lever="clear")
        assert await pressed == ("pass", "it tripped, and is in order again")
        shown = asyncio.create_task(attempt(box, "card"))
        await asyncio.sleep(3)
        await box.tap()
        assert await shown == ("pass", "a card was read whole")


async def test_the_grid_operators_contact_is_tried_beside_a_session(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        trying = asyncio.create_task(attempt(box, "grid_limit-try"))
        await asyncio.sleep(3)
        await box.do("sim", lever="grid-limit", wanted=True)
        await asyncio.sleep(3)
        assert await attempt(box, "grid_limit") == ("note", "the grid operator limits the box now")
        await box.do("sim", lever="grid-limit", wanted=False)
        assert await trying == ("pass", "it limited, and no longer does")
        assert box.contactor.is_closed


async def test_a_grid_operators_contact_that_does_not_come_to_rest_fails(tmp_path):
    async with running_box(tmp_path) as box:
        await box.do("sim", lever="grid-limit", wanted=True)
        assert await attempt(box, "grid_limit-try") == ("fail", "it limits, and goes on to")


async def test_who_does_not_come_is_waited_for_only_so_long(tmp_path):
    async with running_box(tmp_path) as box:
        words = "it did not limit within 14 s"
        assert await attempt(box, "grid_limit-try") == ("fail", words)
        assert await attempt(box, "card") == ("fail", "no card was seen within 25 s")
        assert await attempt(box, "door-try") == ("fail", "it did not trip within 14 s")


async def test_every_step_ends_before_the_control_socket_gives_up(tmp_path):
    async with running_box(tmp_path) as box:
        for fault in ("lock_jam", "does_not_close", "meter_silent"):
            await box.do("sim", lever="fault", name=fault)
        for step in await box.do("self_test", what="steps"):
            async with asyncio.timeout(ANSWER_S):
                await attempt(box, step["name"])


async def test_the_light_shows_its_signals_and_then_what_it_showed_before(tmp_path):
    async with running_box(tmp_path) as box:
        assert box.application.board is not None
        light = box.application.board.indicator
        assert isinstance(light, SimulatedIndicator)
        before = light.signal
        assert (await attempt(box, "indicator"))[0] == "pass"
        assert light.signal is before
        assert len(light.history) >= 6


async def test_a_step_that_does_not_exist_is_refused_and_the_others_are_named(tmp_path):
    async with running_box(tmp_path) as box:
        with pytest.raises(ControlError, match="no step 'frobnicate'; the steps are emergency_st"):
            await attempt(box, "frobnicate")
        with pytest.raises(ControlError, match="no part 'frobnicate'"):
            await box.do("self_test", what="frobnicate")


# --- what was found is kept ----------------------------------------------------------------------


async def test_what_was_found_is_kept_and_told_again(tmp_path):
    async with running_box(tmp_path) as box:
        with pytest.raises(ControlError, match="no self-test has been done here yet"):
            await box.do("self_test", what="last")
        finding = await box.do("self_test", what="try", step="meter-1")
        kept = await box.do("self_test", what="store", findings=[finding])
        record = await box.do("self_test", what="last")
        assert (record["ok"], record["findings"]) == (True, [finding])
        assert json.loads((tmp_path / "self-test.json").read_text()) == record
        assert kept["path"].endswith("self-test.json")


@pytest.mark.parametrize(
    "findings",
    [
        None,
        ["text"],
        [{"step": "a", "verdict": "perhaps", "words": "", "then": ""}],
        [{"step": "a", "verdict": "pass", "words": "x" * 2000, "then": ""}],
        [{"step": "a", "verdict": "pass"}],
        [{"step": "a", "verdict": "pass", "words": "", "then": ""}] * 201,
    ],
)
async def test_findings_that_are_none_are_not_kept(tmp_path, findings):
    async with running_box(tmp_path) as box:
        with pytest.raises(ControlError, match="cannot be read"):
            await box.do("self_test", what="store", findings=findings)
        assert not (tmp_path / "self-test.json").exists()


# --- acknowledge ---------------------------------------------------------------------------------


async def test_a_contactor_that_failed_is_out_of_order_until_a_person_has_mended_it(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        await asyncio.sleep(10)
        await box.do("sim", lever="fault", name="welded")
        await box.tap()
        await box.until(lambda: Fault.CONTACTOR_WELDED in faults_of(box))
        with pytest.raises(ControlError, match="connector 1: its contacts are still closed"):
            await box.do("acknowledge", connector=1)
        box.contactor.contacts.mend()
        await asyncio.sleep(1)
        await box.die()
        await box.start()
        assert faults_of(box) == {Fault.CONTACTOR_FAILED}  # a restart is no mending
        await box.do("acknowledge", connector=1)
        assert faults_of(box) == frozenset()
        await box.die()
        await box.start()
        assert faults_of(box) == frozenset()


@pytest.mark.parametrize("connector", [None, 2, "1", True])
async def test_only_a_connector_that_there_is_can_be_mended(tmp_path, connector):
    async with running_box(tmp_path) as box:
        with pytest.raises(ControlError, match="connector must be one of"):
            await box.do("acknowledge", connector=connector)
