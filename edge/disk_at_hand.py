"""Cache files as far as the kernel has them in memory: nothing that is done here waits for a disk.

Raised is BlockingIOError where it would: then a thread does the same. A look-up costs 15 us so,
and 100 to 200 by way of a thread, most of it for changing between the two.
"""

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from typing import Final

_OPENAT2: Final = 437  # its number on all that Linux runs on, but Alpha
_RESOLVE_CACHED: Final = 0x20  # no name but those that the kernel remembers (Linux 5.12)
_NOWAIT: Final = getattr(os, "RWF_NOWAIT", None)
_UNABLE: Final = frozenset(  # who refuses a flag, an offset, or the whole call, may do without
    {errno.EAGAIN, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.ESPIPE}
)


class _How(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


# Noting when a file was read is a write: it waits while the file system's journal does. The use
# of a file is its time of modification here.
UNNOTED: Final = getattr(os, "O_NOATIME", 0)
# a pipe in the place of a file must not stop the loop either
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | UNNOTED
_HOW: Final = _How(_FLAGS, 0, _RESOLVE_CACHED)
_AT_CWD: Final = ctypes.c_long(-100)
_LIBC: Final = ctypes.PyDLL(None, use_errno=True)  # it keeps the interpreter: 2 us are too short


class AtHand:
    """Opens and reads what needs no waiting. See `disk_files.Waiting` for the other way."""

    def __init__(self, note_use: Callable[[str], None]) -> None:
        self._note_use = note_use

    def open(self, path: str) -> int:
        """A descriptor for reading. Raises OSError."""
        if _NOWAIT is None or sys.platform != "linux":
            raise BlockingIOError(errno.EAGAIN, "no way to know what would wait")
        how, size = ctypes.byref(_HOW), ctypes.sizeof(_HOW)
        fd: int = _LIBC.syscall(_OPENAT2, _AT_CWD, os.fsencode(path), how, size)
        if fd < 0:
            raise _error(ctypes.get_errno())
        return fd

    def read(self, fd: int, size: int, offset: int) -> bytes:
        """So many bytes of a file. Raises OSError."""
        data = bytearray(size)
        if read_into(fd, memoryview(data), offset) < size:
            raise BlockingIOError(errno.EAGAIN, "not all there")
        return bytes(data)

    def note_use(self, path: str, fd: int) -> None:
        """Have its use noted some time."""
        del fd
        self._note_use(path)

    def remove(self, path: str, inode: int) -> None:
        """Removing a file waits."""
        del path, inode
        raise BlockingIOError(errno.EAGAIN, "removing waits")


def read_into(fd: int, place: memoryview, offset: int) -> int:
    """Read as much as is in memory into `place`, at least a byte; 0 at the end. Raises OSError."""
    if _NOWAIT is None:
        raise BlockingIOError(errno.EAGAIN, "no way to know what would wait")
    try:
        return os.preadv(fd, [place], offset, _NOWAIT)
    except OSError as error:
        raise _error(error.errno or 0) from None


def _error(number: int) -> OSError:
    if number in _UNABLE:
        number = errno.EAGAIN
    return OSError(number, os.strerror(number))  # of the class that goes with its number
