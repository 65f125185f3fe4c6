"""``make soak``: a day in virtual time, then minutes in real time with random faults.

    python -m tests.soak

``SOAK_MINUTES`` (10) and ``SOAK_SEED`` (a new one each time, which is printed). Ends with 1 when
something has grown, was left over, or a promise was broken.
"""

from __future__ import annotations

import os
import random
import sys

from tests.soak import day, minutes


def main() -> int:
    """Both, whatever comes of the first."""
    seed = os.environ.get("SOAK_SEED") or str(random.SystemRandom().randrange(10**6))
    virtual = day.main(seed)
    real = minutes.main(float(os.environ.get("SOAK_MINUTES", "10")), seed)
    return virtual or real


if __name__ == "__main__":
    sys.exit(main())
