"""What a second is: by the wall, or of this process on its cores where other processes take their share of them."""

from __future__ import annotations

import time

busy = False
"""True: CPU seconds. They hide waiting, so a quiet machine and the wall are better where they can be had."""


def now() -> float:
    """Seconds from some start."""
    return time.process_time() if busy else time.perf_counter()
