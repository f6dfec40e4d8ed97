"""Run a command under restrictions as systemd makes them, by prctl and seccomp alone, so that no systemd is needed.

    python sandbox.py mdwe,mdwe-filter,namespaces,unix-only,calls,no-new-privileges -- COMMAND...

x86-64 only. `mdwe` is MemoryDenyWriteExecute= as kernels from 6.3 have it, `mdwe-filter` as systemd does it elsewhere.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Callable

ALLOW, DENY = 0x7FFF0000, 0x00050000
LOAD, EQUAL, ANY_BIT, AND, RETURN = 0x20, 0x15, 0x45, 0x54, 0x06
NR, ARCH, ARGUMENTS = 0, 4, 16
X86_64 = 0xC000003E
Line = tuple[int, int, int, int]

# What SystemCallFilter=@system-service, ~@privileged @resources of the unit leaves out, by number on x86-64.
PRIVILEGED = (
    92, 93, 94, 260, 159, 305, 227, 164, 176, 313, 175, 173, 172, 320, 246, 169, 168, 167, 163, 321, 126, 161, 300, 301,
    304, 155, 179, 443, 171, 123, 122, 106, 116, 170, 114, 119, 117, 113, 105, 153,
)  # fmt: skip
RESOURCES = (251, 237, 256, 279, 203, 314, 142, 144, 238, 450, 141, 160)
NOT_OF_A_SERVICE = (101, 298, 310, 311, 323, 425, 426, 427, 165, 166, 312, 438, 135)
MMAP, MPROTECT, PKEY_MPROTECT, SHMAT, SOCKET, CLONE, UNSHARE, SETNS, CLONE3 = 9, 10, 329, 30, 41, 56, 272, 308, 435
NAMESPACES = 0x7E020000


def argument(number: int) -> Line:
    """Load the low half of an argument of the system call."""
    return LOAD, 0, 0, ARGUMENTS + 8 * number


def rule(call: int, body: list[Line]) -> list[Line]:
    """Lines that hold for one system call, and are passed over for every other; the number is loaded before them."""
    return [(EQUAL, 0, len(body), call), *body]


def refuse(number: int = errno.EPERM) -> Line:
    return RETURN, 0, 0, DENY | number


def if_any(argument_number: int, bits: int) -> list[Line]:
    """Refuse where any of the bits is set in an argument."""
    return [argument(argument_number), (ANY_BIT, 0, 1, bits), refuse(), (RETURN, 0, 0, ALLOW)]


def memory() -> list[Line]:
    both = [argument(2), (AND, 0, 0, 6), (EQUAL, 0, 1, 6), refuse(), (RETURN, 0, 0, ALLOW)]
    lines = rule(MMAP, both)
    for call in (MPROTECT, PKEY_MPROTECT):
        lines += rule(call, if_any(2, 4))
    return lines + rule(SHMAT, if_any(2, 0x8000))


def namespaces() -> list[Line]:
    lines = rule(UNSHARE, if_any(0, NAMESPACES)) + rule(CLONE, if_any(0, NAMESPACES))
    return lines + rule(SETNS, [refuse()]) + rule(CLONE3, [refuse(errno.ENOSYS)])


def unix_only() -> list[Line]:
    body = [argument(0), (EQUAL, 0, 1, 1), (RETURN, 0, 0, ALLOW), refuse(errno.EAFNOSUPPORT)]
    return rule(SOCKET, body)


def calls() -> list[Line]:
    lines: list[Line] = []
    for number in (*PRIVILEGED, *RESOURCES, *NOT_OF_A_SERVICE):
        lines += rule(number, [refuse()])
    return lines


def install(lines: list[Line]) -> None:
    """Put a filter on this process and all that it starts."""
    head: list[Line] = [(LOAD, 0, 0, ARCH), (EQUAL, 1, 0, X86_64), refuse(), (LOAD, 0, 0, NR)]
    program = [*head, *lines, (RETURN, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    header = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code))
    prctl(22, 2, ctypes.create_string_buffer(header))


def prctl(option: int, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    given = [ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments]
    if libc.prctl(ctypes.c_int(option), *given, *[ctypes.c_ulong(0)] * (4 - len(given))):
        raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


RESTRICTIONS: dict[str, Callable[[], None]] = {
    "no-new-privileges": lambda: prctl(38, 1),
    "mdwe": lambda: prctl(65, 1),
    "mdwe-filter": lambda: install(memory()),
    "namespaces": lambda: install(namespaces()),
    "unix-only": lambda: install(unix_only()),
    "calls": lambda: install(calls()),
}

if __name__ == "__main__":
    if os.geteuid() != 0:
        prctl(38, 1)  # without it, an ordinary user may install no filter
    for name in filter(None, sys.argv[1].split(",")):
        RESTRICTIONS[name]()
    os.execvp(sys.argv[3], sys.argv[3:])
