"""The last frames of the conversation, redacted, to be read later."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from agent.platform.bounded_json import NotJson, is_light, read_json
from agent.platform.bounds import BoundedMap
from agent.platform.redaction import redact_frame

FRAMES_KEPT = 500
_PAIRS_KEPT = 100  # calls whose answer has not come yet


@dataclass(frozen=True, slots=True)
class LoggedFrame:
    """One frame as it may be shown: idTags masked, secrets removed, at most 2000 characters."""

    sent_by_us: bool
    action: str  # of an answer: that of its call; empty when that is unknown
    message: str
    at: datetime


class FrameLog:
    """A ring of frames; the oldest makes room. Written on the loop, read from any thread."""

    def __init__(self, utc: Callable[[], datetime]) -> None:
        self._utc = utc
        self._frames: deque[LoggedFrame] = deque(maxlen=FRAMES_KEPT)
        self._actions = BoundedMap[str, str](_PAIRS_KEPT)

    def note(self, direction: str, data: str | bytes) -> None:
        """Keep a frame; ``direction``: sent or received. Never raises."""
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
        frame = LoggedFrame(
            direction == "sent", self._action(text), redact_frame(text), self._utc()
        )
        self._frames.append(frame)

    def frames(self) -> tuple[LoggedFrame, ...]:
        """Everything that is kept, oldest first."""
        return tuple(self._frames.copy())

    def _action(self, text: str) -> str:
        if not is_light(text):  # [2,"id","Action",... stands at its begin
            return text[:200].split('"')[3] if text[:200].count('"') > 3 else ""
        try:
            content = read_json(text)
        except NotJson:
            return ""
        match content:
            case [2, str(unique_id), str(action), *_]:
                self._actions[unique_id] = action
                return action[:50]
            case [3 | 4, str(unique_id), *_]:
                return self._actions.pop(unique_id, "")[:50]
            case _:
                return ""
