"""Contracts of ISO 15118 vehicles: who is asked about what, and who may decide alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.commands import Authorize
from agent.core.contract import CertificateHash, Contract
from agent.core.values import TagRecord, TokenKind
from tests.core.story import (
    ACCEPTED,
    Story,
    a_charge_point,
    charging,
    decisions,
    listed,
    looked_up,
    of,
    of_group,
    rules_of,
)

E_MAID = "DEABCC123ABC56"
CHECKED = Contract(
    (CertificateHash("SHA256", "65df03", "d503a8", "12345", "https://ocsp.example"),)
)
UNCHECKED = replace(CHECKED, certificate_chain="-----BEGIN CERTIFICATE-----")
PNC = {"ISO15118PnCEnabled": "true"}


def shown(contract: Contract = CHECKED, facts: TagRecord | None = None) -> ev.LookedUp:
    presented = ev.TagPresented(E_MAID, (1,), claim=TokenKind.CONTRACT, contract=contract)
    return looked_up(presented, facts)


def question(
    contract: Contract = CHECKED, facts: TagRecord | None = None, **keys: str
) -> Authorize:
    (found,) = of(Authorize, Story(a_charge_point(**keys)).tell(shown(contract, facts)))
    return found


def test_the_central_system_is_asked_about_the_contract_where_it_knows_contracts():
    assert question(**PNC).contract == CHECKED


def test_elsewhere_the_contract_is_an_id_tag_like_any_other():
    assert question() == Authorize(E_MAID, 5.0)


@pytest.mark.parametrize(("allowed", "sent"), [("true", UNCHECKED), ("false", CHECKED)])
def test_the_chain_goes_out_only_where_the_central_system_may_check_it(allowed, sent):
    keys = PNC | {"CentralContractValidationAllowed": allowed}
    assert question(UNCHECKED, **keys).contract == sent


def test_a_listed_contract_that_was_checked_here_needs_no_question():
    story = Story(a_charge_point(**PNC))
    assert rules_of(story.tell(shown(facts=listed()))) == ["LISTED"]


def test_a_listed_contract_that_nobody_checked_is_asked_about():
    assert question(UNCHECKED, facts=listed(), **PNC).id_tag == E_MAID


@pytest.mark.parametrize(
    ("contract", "key", "rule"),
    [
        (CHECKED, "true", "LISTED_OFFLINE"),
        (CHECKED, "false", "CONTRACT_UNCHECKED"),
        (UNCHECKED, "true", "CONTRACT_UNCHECKED"),
    ],
)
@pytest.mark.parametrize("is_silent", [False, True])
def test_without_an_answer_only_a_contract_checked_here_may_charge(contract, key, rule, is_silent):
    keys = PNC | {"ContractValidationOffline": key, "LocalPreAuthorize": "false"}
    story = Story(a_charge_point(online=is_silent, **keys))
    commands = story.tell(shown(contract, listed()))
    if is_silent:
        commands = story.tell(ev.AuthorizeFailed(E_MAID, "no answer"))
    assert rules_of(commands) == [rule]
    assert decisions(commands)[0].detail == ("no answer" if is_silent else "offline")


def test_offline_and_without_plug_and_charge_the_offline_rules_decide():
    story = Story(a_charge_point(online=False))
    assert rules_of(story.tell(shown(UNCHECKED, listed()))) == ["LISTED_OFFLINE"]


# --- a vehicle that shows itself again -----------------------------------------------------------


@pytest.mark.parametrize("claim", [TokenKind.CONTRACT, TokenKind.AUTOCHARGE, TokenKind.STATION])
def test_a_vehicle_that_shows_itself_again_ends_nothing(claim):
    story = Story(a_charge_point())
    story.state = replace(story.state, rules=replace(story.state.rules, autocharge=True))
    again = looked_up(ev.TagPresented(E_MAID, (1,), claim=claim), listed())
    story.tell(again)
    story.wait(10)
    assert story.tell(again) == []
    assert len(story.state.waiting) == 1  # not called off
    story.tell(ev.CablePluggedIn(1))
    assert story.connector.grant is not None
    assert story.tell(again) == []


def test_a_vehicle_that_shows_itself_again_in_its_session_ends_nothing():
    story = charging()
    story.wait(10)
    card = story.connector.transaction.id_tag
    assert rules_of(story.tell(ev.TagPresented(card, (1,), claim=TokenKind.CONTRACT))) == []
    assert story.connector.stop is None


def test_a_vehicle_of_the_same_group_does_not_end_the_session_of_a_card():
    story = charging(facts=listed(of_group("FLEET")))
    story.wait(10)
    facts = listed(of_group("FLEET"))
    assert rules_of(story.tell(shown(facts=facts))) == ["NO_CONNECTOR"]
    assert story.connector.stop is None


def test_what_the_answer_says_about_the_certificate_changes_nothing_in_the_decision():
    story = Story(a_charge_point(**PNC))
    story.tell(shown())
    answer = ev.AuthorizeAnswered(E_MAID, ACCEPTED, certificate_status="Accepted")
    assert rules_of(story.tell(answer)) == ["CENTRAL_ACCEPTED"]
