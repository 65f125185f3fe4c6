"""Python's garbage collector, kept from what never becomes garbage.

It looks through every object that may be part of a circle, in one go, and no thread runs
meanwhile, the reflex neither. Modules, classes and what a framework builds from them are a hundred
thousand such objects that stay for ever.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def resting_while_importing(module: str) -> Iterator[None]:
    """Import the module inside, and build what stays; the collector passes all of it by for ever.

    It rests meanwhile, which saves a fifth of the time. Does nothing when the module is there.
    """
    if module in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
