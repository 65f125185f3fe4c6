"""The side to the central system: the only place that knows the ocpp and websockets packages."""

from __future__ import annotations

import logging

# The library logs whole frames with idTags and keys at INFO. Ours are redacted (``frames.py``).
_library_log = logging.getLogger("ocpp")
_library_log.addHandler(logging.NullHandler())
_library_log.propagate = False
_library_log.setLevel(logging.CRITICAL + 1)
