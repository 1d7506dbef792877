"""How a worker's process treats its memory: given back when free, never walked as a whole."""

import ctypes
import gc
from typing import Final

GC_YOUNG: Final = 4_000  # allocations between two passes over the newest objects only: 4 ms
GC_MIDDLE: Final = 2  # of those between two over what they left: 10 ms, entries being far apart
LIBC: Final = ctypes.CDLL(None)
MAPPED_BYTES_MIN: Final = 288 * 1024
TRIMMED_BYTES_MIN: Final = 4 << 20  # free at the heap's end: what arrives comes and goes there
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8


def tight_heap() -> None:
    """Have large blocks returned when they are freed: glibc would learn to keep them (mallopt(3)).

    Slices then have mappings of their own, and no free memory lies between them. What uvloop reads
    of TLS from origins does not: it takes 256 KiB each time, and mapping them cost 35 us.
    """
    if hasattr(LIBC, "mallopt"):
        LIBC.mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES_MIN)
        LIBC.mallopt(_M_TRIM_THRESHOLD, TRIMMED_BYTES_MIN)
        LIBC.mallopt(_M_ARENA_MAX, 1)


def trim_heap() -> None:
    """Return what is free between small blocks, too."""
    if hasattr(LIBC, "malloc_trim"):
        LIBC.malloc_trim(0)


def quiet_collector() -> None:
    """Keep the cyclic collector off the serving path: no pass ever walks the stored entries.

    What exists now is frozen; young objects are still collected, the oldest generation never is.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG, GC_MIDDLE, 1_000_000)
