"""What the page shows, as plain data for its templates."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.api.agent_bridge import AgentBridge
from agent.api.page.picture import picture, pilot_in_words
from agent.api.page.power import PowerHistory
from agent.api.page.rendering import render, render_once
from agent.control.event_log import decision_line
from agent.control.own_certificate import own_certificate_sentences
from agent.control.snapshot import charge_point_snapshot
from agent.control.taps import tap_as_data
from agent.core import faults
from agent.core.authorization_reasons import Rule, next_step_of, reason_of, whose
from agent.core.certificate_ends import OWN, watched
from agent.core.configuration import CORE, LIST, RESERVATION, SMART
from agent.core.contactors import LOCKS_OUT, is_stuck
from agent.core.id_tag import mask
from agent.core.key_meanings import MEANINGS
from agent.core.limit_sources import LimitSource
from agent.core.state import Connector, Finished
from agent.core.values import (
    AuthorizationStatus,
    DecisionRecord,
    ListOwner,
    LockState,
    Status,
    Verdict,
)
from agent.ocpp16.link import LinkSnapshot
from agent.ocppj.frame_log import LoggedFrame
from agent.platform.errors import StoreError
from agent.store.instants import instant_of

DECISIONS_SHOWN = 8
FRAMES_SHOWN = 60
ROWS_A_PAGE = 50
CARDS = (  # what lies beside the simulated reader
    ("044943121F1A80", "the usual card"),
    ("04A2B3C4D5E680", "another card"),
    ("DEADBEEF", "a blocked card"),
    ("08C0FFEE", "a card that changes its number"),
)
PROFILE_TITLES = {  # the feature profiles that have keys, in the order of the page
    CORE: "Core",
    LIST: "Local list of cards",
    RESERVATION: "Reservations",
    SMART: "Charging profiles",
}

Scopes = frozenset[str]


@dataclass(frozen=True, slots=True)
class PagePart:
    """A piece of the page that can be put in place of an older one."""

    name: str
    html: str


class Views:
    """Renders the parts of the page, as far as the scopes of a login allow them."""

    def __init__(self, agent: AgentBridge, history: PowerHistory) -> None:
        self._agent = agent
        self._history = history

    def frame_of_page(self, title: str, scopes: Scopes) -> dict[str, Any]:
        """What every page needs around its content."""
        settings = self._agent.settings
        return {
            "title": title,
            "identity": settings.charge_point.identity,
            "is_simulated": self._agent.is_all_simulated,
            "has_grid_contact": self._agent.has_grid_contact,
            "may_operate": "operate" in scopes,
            "may_configure": "configure" in scopes,
        }

    # --- the overview ----------------------------------------------------------------------------

    async def overview(self, scopes: Scopes) -> list[PagePart]:
        """Every part of the first page."""
        agent = self._agent
        state, link = agent.state, await agent.link()
        shown = charge_point_snapshot(state, agent.now())
        return [
            self._part(
                "head",
                link=link,
                queued=shown["messages_waiting"],
                waiting=shown["cards_waiting_for_a_plug"],
                free_tag=state.rules.free_charging_id_tag,
            ),
            self._part("faults", faults=list(self._faults()), may_operate="operate" in scopes),
            *(
                part
                for pair in zip(state.connectors, shown["connectors"], strict=True)
                for part in self._connector(*pair, link, scopes)
            ),
            self._panel(scopes),
            self._tap(),
            await self._cards(scopes),
            await self._link_part(link, scopes),
        ]

    @property
    def connectors(self) -> list[int]:
        """The numbers of the connectors, each with parts of its own."""
        return [connector.connector_id for connector in self._agent.state.connectors]

    def _part(self, name: str, number: int | None = None, **context: Any) -> PagePart:
        html = render(f"part_{name}.html", number=number, **context)
        return PagePart(name if number is None else f"{name}-{number}", html)

    def _connector(
        self, connector: Connector, shown: dict[str, Any], link: LinkSnapshot, scopes: Scopes
    ) -> Iterable[PagePart]:
        """What changes often and what seldom does, apart: only what has changed is sent."""
        number, session = connector.connector_id, shown["session"]
        is_faulted = shown["status"] == Status.FAULTED.value
        has_curve = session is not None or isinstance(connector.phase, Finished)
        yield self._part("state", number, connector=shown)
        drawn = picture(
            connector,
            self._card(connector),
            shown["missing"],
            is_faulted,
            link.is_accepted if link.url else None,
        )
        yield self._seldom("picture", number, drawn=drawn)
        # Of a connector that is out of order only what leads to its mending is shown.
        plot = self._history.plot(number) if has_curve and not is_faulted else None
        yield self._seldom("curve", number, plot=plot, is_over=session is None)
        yield self._seldom(
            "actions",
            number,
            connector_id=number,
            ref=None if session is None else session["ref"],
            is_delayed=shown["limit"]["source"] == LimitSource.RANDOM_DELAY.value,
            is_locked=connector.lock is LockState.LOCKED
            and connector.traits.has_lock
            and not is_stuck(connector),  # never unlocked while energy may flow
            may_operate="operate" in scopes,
        )
        pilot = pilot_in_words(connector.pilot) if connector.traits.has_pilot else ""
        yield self._part("facts", number, connector=shown, pilot=pilot)

    def _seldom(self, name: str, number: int, **context: Hashable) -> PagePart:
        """A part of a connector that seldom changes."""
        return PagePart(f"{name}-{number}", render_once(f"part_{name}.html", **context))

    def _card(self, connector: Connector) -> str:
        """Who may charge at a connector, or for whom its cable is held; empty: nobody."""
        waiting = (
            grant
            for grant in self._agent.state.waiting
            if connector.connector_id in grant.connectors
        )
        grant = connector.grant or next(waiting, None)
        if (transaction := connector.transaction or connector.held_for) is not None:
            return whose(transaction.id_tag, transaction.figures.rule)
        return "" if grant is None else whose(grant.id_tag, grant.rule)

    def _faults(self) -> Iterable[dict[str, Any]]:
        state = self._agent.state
        for fault in sorted(state.faults, key=tuple(faults.RULES).index):
            yield {"where": "", "rule": faults.RULES[fault], "to_acknowledge": None}
        for connector in state.connectors:
            for fault in sorted(connector.faults, key=tuple(faults.RULES).index):
                number = connector.connector_id
                yield {
                    "where": f"connector {number}",
                    "rule": faults.rule_of(fault, connector.part_fault),
                    "to_acknowledge": number if fault in LOCKS_OUT else None,
                }

    async def _cards(self, scopes: Scopes) -> PagePart:
        problem, records = "", list[DecisionRecord]()
        try:
            records = await self._agent.decisions(None, DECISIONS_SHOWN)
        except StoreError as error:
            problem = str(error)
        now = self._agent.now().utc
        may_add = "configure" in scopes and self.may_change_list
        rows = [
            {
                "id_tag": mask(record.id_tag) or record.purpose,
                "is_accepted": record.verdict is Verdict.ACCEPTED,
                "line": decision_line(record),
                "reason": reason_of(record.rule),
                "next": next_step_of(record.rule) if record.verdict is Verdict.REFUSED else "",
                "at": record.decided_at,
                "may_be_added": may_add and is_unknown(record),
                "mark": mark_of(record),
            }
            for record in records
        ]
        return self._part("cards", rows=rows, now=now, problem=problem)

    def _tap(self) -> PagePart:
        taps = self._agent.taps.last
        return self._part(
            "tap", tap=tap_as_data(taps[0]) if taps else None, now=self._agent.now().utc
        )

    @property
    def may_change_list(self) -> bool:
        """Whether the local list belongs to people here at all."""
        return self._agent.state.rules.list_owner is not ListOwner.CSMS

    async def _link_part(self, link: LinkSnapshot, scopes: Scopes) -> PagePart:
        state, problem, outbox, now = self._agent.state, "", None, self._agent.now()
        try:
            outbox = await self._agent.outbox()
        except StoreError as error:
            problem = str(error)
        return self._part(
            "link",
            link=link,
            own_certificate=own_certificate_sentences(state.own_certificates),
            own_ends=next((c.not_after for what, c in watched(state) if what == OWN), None),
            outbox=outbox,
            problem=problem,
            now=now.utc,
            is_time_known=now.is_trusted,
            may_operate="operate" in scopes,
        )

    def _panel(self, scopes: Scopes) -> PagePart:
        agent = self._agent
        simulated = [
            connector.connector_id
            for connector in agent.state.connectors
            if "simulated" in agent.hardware(connector.connector_id).values()
        ]
        is_shown = "simulate" in scopes and (bool(simulated) or agent.has_simulated_reader)
        return self._part(
            "panel",
            is_shown=is_shown,
            connectors=simulated,
            plugged={c.connector_id: c.plugged for c in agent.state.connectors},
            broken={number: agent.is_broken(number) for number in simulated},
            has_reader=agent.has_simulated_reader,
            cards=CARDS,
            fault_names=agent.fault_names,
            is_cut=agent.is_network_cut,
            is_grid_limited=agent.is_grid_limited,
        )

    # --- the other pages -------------------------------------------------------------------------

    async def tags(self, page: int, scopes: Scopes) -> dict[str, Any]:
        """A page of the local list, and the newest of the cache."""
        agent = self._agent
        after = (page - 1) * ROWS_A_PAGE
        entries = await agent.list_do(lambda lists: lists.page(after, ROWS_A_PAGE + 1))
        cached = await agent.cached_tags(ROWS_A_PAGE)
        shown = [id_tag for id_tag, _ in entries] + [one.id_tag for one in cached]
        return {
            "entries": entries[:ROWS_A_PAGE],
            "page": page,
            "has_more": len(entries) > ROWS_A_PAGE,
            "local_list": agent.lists.now,
            "owner": agent.state.rules.list_owner.value,
            "may_change": "configure" in scopes and self.may_change_list,
            "may_clear_cache": "configure" in scopes,
            "names": await agent.list_do(lambda lists: lists.names(shown)),
            "may_name": "configure" in scopes,  # whoever the list belongs to
            "cached": cached,
            "cache_count": await agent.cache_count(),
            "now": agent.now().utc,
        }

    def keys(self, search: str, scopes: Scopes) -> dict[str, Any]:
        """Every OCPP configuration key that has the search in its name or meaning, by profile."""
        known, _ = self._agent.state.configuration.look_up(())
        found = [
            (key, value, MEANINGS[key.name])
            for key, value in known
            if search.lower() in f"{key.name} {MEANINGS[key.name].says}".lower()
        ]
        groups = {
            title: [one for one in found if one[0].profile == profile]
            for profile, title in PROFILE_TITLES.items()
        }
        return {
            "groups": {title: keys for title, keys in groups.items() if keys},
            "search": search,
            "may_change": "configure" in scopes,
        }

    async def security_log(self, before: int | None) -> dict[str, Any]:
        """The newest lines of the security log, or those before one; and whether it is whole."""
        found = await self._agent.security_log(ROWS_A_PAGE + 1, before)
        shown = found[:ROWS_A_PAGE]
        return {
            "lines": [(line, _instant(line.at)) for line in shown],
            "is_newest": before is None,
            "next_before": shown[-1].number if len(found) > ROWS_A_PAGE else None,
            "problem": await self._agent.security_log_problem(),
        }

    async def grid_limits(self, before: int | None) -> dict[str, Any]:
        """When the grid operator's contact limited the box: the newest times, or before one."""
        found = await self._agent.grid_limits(ROWS_A_PAGE + 1, before)
        shown = found[:ROWS_A_PAGE]
        return {
            "limits": shown,
            "is_newest": before is None,
            "next_before": shown[-1].number if len(found) > ROWS_A_PAGE else None,
        }

    def frames(self, action: str) -> PagePart:
        """The newest OCPP frames of an action, or of all."""
        newest = reversed(self._agent.frame_log.frames())
        wanted = [frame for frame in newest if is_wanted(frame, action)][:FRAMES_SHOWN]
        return PagePart("frames", render("part_frames.html", frames=wanted))


def _instant(text: str) -> datetime | None:
    """The instant of a line; None: somebody has changed it."""
    try:
        return instant_of(text)
    except ValueError:
        return None


def is_unknown(record: DecisionRecord) -> bool:
    """Whether a card was refused because nobody knows it.

    One that is blocked, expired, or only came too soon is not helped by the local list.
    """
    is_nobodys = record.rule in (Rule.UNKNOWN_REFUSED.name, Rule.CENTRAL_REFUSED.name)
    is_invalid = record.status in (None, AuthorizationStatus.INVALID.value)
    is_refused = record.verdict is Verdict.REFUSED
    return bool(record.id_tag) and is_refused and is_nobodys and is_invalid


def is_wanted(frame: LoggedFrame, action: str) -> bool:
    """Whether the filter lets a frame through: a piece of the action's name, in any case."""
    return action.lower() in frame.action.lower()


def mark_of(record: DecisionRecord) -> str:
    """Names a decision in a form without naming its card."""
    return f"{record.decided_at.isoformat()}|{record.connector_id}|{record.rule}"
