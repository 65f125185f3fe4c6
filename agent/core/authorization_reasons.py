"""Why a tag was accepted or refused: one rule per branch of the decision, each in words.

``Rule.says`` is the reason for a person; ``Rule.then`` is what a technician can do next.
"""

from __future__ import annotations

from agent.core.id_tag import mask
from agent.core.key_enum import KeyEnum

FREE_CHARGING = "free charging"


class Rule(KeyEnum):
    """The rule that decided. The name is stored and shown; the words may change."""

    LISTED = "the local list accepts this card"
    CACHED = "the central system accepted this card before, and that answer is still valid"
    CENTRAL_ACCEPTED = "the central system accepts this card"
    CENTRAL_REFUSED = "the central system refuses this card"
    ANSWER_UNUSABLE = "the central system's answer does not say whether this card may charge"
    LISTED_OFFLINE = "offline: the local list accepts this card"
    LISTED_REFUSED = "offline: the local list does not accept this card"
    CACHED_OFFLINE = "offline: the central system accepted this card before"
    CACHED_REFUSED = (
        "offline: the central system's last answer was not an acceptance, or has expired"
    )
    UNKNOWN_ALLOWED = "offline: unknown cards may charge here"
    UNKNOWN_REFUSED = "offline: this card is neither in the local list nor remembered"
    OFFLINE_OFF = "offline: the local list and the cache may not decide here"
    REMOTE_TRUSTED = "the central system started this session itself"
    SAME_CARD = "the card that started the session ends it"
    SAME_GROUP = "a card of the same group ends the session"
    OTHER_SESSION = "another card is charging, and this card is not in its group"
    OTHER_GROUP = "another card is charging, and this card belongs to another group"
    GROUP_UNKNOWN = "another card is charging, and the group of this card could not be determined"
    STOP_BY_CARD_OFF = "this box does not end a session by its card"
    SESSION_OVER = "the session was over before this card was decided on"
    RANDOM_UID = (
        "this card shows a different number each time it is read, so it cannot be recognised"
    )
    UNTELLABLE = "the tag does not have 1 to 20 printable characters, so OCPP cannot carry it"
    FREE = "free charging is switched on: anyone may plug in and charge"
    STATION = "another part of the station has accepted this token"
    FREE_OFF = "free charging is not switched on here"
    AUTOCHARGE_OFF = "vehicles may not identify themselves by their address here"
    BAD_TOKEN = "the token does not have the form of its kind"
    EVSE_UNKNOWN = "the token is meant for an EVSE that this box does not have"
    SEVERAL_PLUGS = "several plugs are waiting, and the token does not say which one it is for"
    ONE_AT_A_TIME = "another card or token is being checked for the same connector"
    OWN_READER_FIRST = "a card was presented at the charger's own reader meanwhile and goes first"
    CONTRACT_UNCHECKED = "the contract of this vehicle cannot be checked now"
    DISCARDED = "the station's own logic rejected this token"
    VOUCHED = "the central system accepted this tag when it was asked a moment ago"
    TRUSTED = "simulated hardware: started as asked, without a check"
    DELAY_SKIPPED = "the same card again: the random delay is skipped, and the session goes on"
    TOO_SOON = "the same card again, too soon after the start"
    JUST_ENDED = "the same card again, too soon after it ended the session"
    CANCELLED = "the same card again before a car was plugged in: the start is cancelled"
    CABLE_RELEASED = "the cable was waiting for this card"
    NO_CONNECTOR = "no connector is free for this card"
    RESERVED = "the connector is reserved for another card"
    OUT_OF_SERVICE = "the central system has taken this connector out of service"
    UPDATING = "new firmware is about to be installed"
    FAULTED = "the connector has a fault"
    LOOK_UP_FAILED = "the box cannot read what it knows about cards, and does not guess"
    DEAUTHORIZED = "the central system refuses this card for the session that has begun"
    NO_ANSWER = "the central system was asked, and gave no usable answer"
    NOT_CONNECTED = "the central system has to be asked, and is not connected"
    NOT_REGISTERED = "the central system has not accepted this box yet"
    ENDING = "the session of this card is just ending"
    NO_PLUG_CAME = "no car was plugged in in time"
    GIVEN_UP = "the start was given up: plug, lock, meter or a fault"
    OTHER_FIRST = "another card was first"
    UNLOCKED = "the connector was unlocked before the session could begin"
    NOT_PLUGGED = "no cable is plugged in there"
    UNKNOWN_CONNECTOR = "the box has no connector with that number"
    NO_CONNECTOR_NAMED = "no connector was named, and this box does not choose one"
    NO_SESSION = "no such session is running"
    SEVERAL_SESSIONS = "the request matches several sessions and must name one"
    BAD_PROFILE = "the charging profile cannot be used"
    NO_LOCK = "the connector has no lock"
    LOCK_STUCK = "the lock did not open in time"
    BAD_RESERVATION = "no such reservation can be made"
    NO_RESERVATION = "there is no such reservation"
    NOT_DONE = "the control API cannot do this now"
    JOURNAL_FAILED = "the box cannot write its journal, so nothing may start"
    TOO_MANY = "too many cards are being checked at the same time"
    SHUTTING_DOWN = "the box is about to restart"

    @property
    def says(self) -> str:
        """The reason in words."""
        return self.value

    @property
    def then(self) -> str:
        """What a technician can do next; empty when there is nothing to do."""
        return _THEN.get(self, "")


def reason_of(stored: str) -> str:
    """The reason of a stored rule in words; of a rule of another version its name."""
    return Rule[stored].says if stored in Rule.__members__ else stored


def whose(id_tag: str, rule: str) -> str:
    """Whose session it is, for people outside the store: the tag masked, or that no card was shown.

    ``rule``: the stored one that accepted the tag. The tag of free charging belongs to nobody.
    """
    return FREE_CHARGING if rule == Rule.FREE.name else mask(id_tag)


def next_step_of(stored: str) -> str:
    """What a technician can do after a refusal by a stored rule; empty: nothing, or not known."""
    return Rule[stored].then if stored in Rule.__members__ else ""


# Those by which a token is refused before it reaches the core.
STATION_RULES = (
    Rule.BAD_TOKEN,
    Rule.EVSE_UNKNOWN,
    Rule.SEVERAL_PLUGS,
    Rule.ONE_AT_A_TIME,
)
_THEN = {
    Rule.CENTRAL_REFUSED: "look the card up in the central system: known, not blocked, valid?",
    Rule.ANSWER_UNUSABLE: "show the operator of the central system what it answered (see frames)",
    Rule.LISTED_REFUSED: "correct the card in the central system and let it send the list again",
    Rule.CACHED_REFUSED: "restore the link, then tap again: the central system is asked again",
    Rule.UNKNOWN_REFUSED: "restore the link (see status), or put the card on the local list",
    Rule.OFFLINE_OFF: "restore the link, or set LocalAuthorizeOffline to true",
    Rule.OTHER_SESSION: "end it with the card that started it, or from the central system",
    Rule.OTHER_GROUP: "end it with the card that started it, or from the central system",
    Rule.GROUP_UNKNOWN: "restore the link, or end the session with the card that started it",
    Rule.STOP_BY_CARD_OFF: "end the session from the car or the central system",
    Rule.TOO_SOON: "wait a few seconds, then tap again to end the session",
    Rule.RANDOM_UID: "use another card: phones and some bank cards and badges do this by design",
    Rule.UNTELLABLE: "check how the reader, or the sender of the tag, forms it",
    Rule.JUST_ENDED: "wait a few seconds, then tap again for a new session",
    Rule.NO_CONNECTOR: "see chargepoint-agent status: which connector is in use, and by what",
    Rule.RESERVED: "use another connector, or cancel the reservation in the central system",
    Rule.OUT_OF_SERVICE: "have the central system set it to Operative",
    Rule.UPDATING: "tap again after the restart; see chargepoint-agent status",
    Rule.FAULTED: "see chargepoint-agent status: it names the fault",
    Rule.LOOK_UP_FAILED: "see chargepoint-agent status and doctor: the disk, or the database on it",
    Rule.DEAUTHORIZED: "look the card up in the central system: known, not blocked, valid?",
    Rule.NO_ANSWER: "ask again; if that does not help, run chargepoint-agent doctor",
    Rule.NOT_CONNECTED: "restore the link (see status), then ask again",
    Rule.NOT_REGISTERED: "have the central system accept the box: see its BootNotification",
    Rule.ENDING: "wait a few seconds, then tap again for a new session",
    Rule.NO_PLUG_CAME: "plug in sooner after the card, or raise ConnectionTimeOut",
    Rule.GIVEN_UP: "see what the log says of plug, lock and meter just before; then start again",
    Rule.OTHER_FIRST: "use another connector, or start again when this one is free",
    Rule.UNLOCKED: "start again",
    Rule.NOT_PLUGGED: "plug in first",
    Rule.UNKNOWN_CONNECTOR: "chargepoint-agent status lists the connectors",
    Rule.NO_CONNECTOR_NAMED: "name one, or set authorization.remote_start_without_connector",
    Rule.NO_SESSION: "see chargepoint-agent status for the sessions that run",
    Rule.SEVERAL_SESSIONS: "name one by its own number; see chargepoint-agent status",
    Rule.BAD_PROFILE: "correct what the detail names in the central system",
    Rule.NO_LOCK: "nothing to unlock: pull the plug",
    Rule.LOCK_STUCK: "see whether the plug jams the bolt; chargepoint-agent self-test tries it",
    Rule.BAD_RESERVATION: "correct what the detail names in the central system",
    Rule.NO_RESERVATION: "look for its number in the central system; it may be over",
    Rule.NOT_DONE: "do what the detail says",
    Rule.JOURNAL_FAILED: "make room on the disk, or replace the SD card",
    Rule.FREE_OFF: "set authorization.free_charging_id_tag, or show a card",
    Rule.AUTOCHARGE_OFF: "set authorization.autocharge, or show a card",
    Rule.BAD_TOKEN: "see what the sender of the token puts into id_token (docs/bus.md)",
    Rule.EVSE_UNKNOWN: "compare evse_id in the configuration with the one that the sender uses",
    Rule.SEVERAL_PLUGS: "let the sender of the token name the EVSE",
    Rule.ONE_AT_A_TIME: "wait until the previous one is decided, then present it again",
    Rule.OWN_READER_FIRST: "present it again once that card is decided",
    Rule.CONTRACT_UNCHECKED: "charge with a card, or wait for the link to the central system",
    Rule.DISCARDED: "see the log of the service that answers process_authorized_token",
    Rule.TOO_MANY: "wait until the cards before this one are decided",
    Rule.SHUTTING_DOWN: "tap again after the restart",
}
