"""What makes it OCPP 1.6: the subprotocol, the name of the version, and its longest call."""

from __future__ import annotations

from functools import partial

from agent.ocppj import frames
from agent.ocppj.websocket import open_websocket

VERSION = "OCPP 1.6"
SUBPROTOCOL = "ocpp1.6"  # OCPP-J 1.6, 3.2

connect_websocket = partial(open_websocket, SUBPROTOCOL)
parse = partial(frames.parse, long_action="SendLocalList")
