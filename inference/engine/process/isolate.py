"""Runs a command in a network namespace of its own: no port of it can be reached, and it can reach nothing.

vLLM speaks over a unix socket, but libraries inside it listen on TCP ports (gloo does, even for one process), and
code in a model could call home. In a namespace of its own neither matters. Where the system does not allow one, the
command runs as it is, and those ports are on the loopback interface only.

    python isolate.py COMMAND …     (stdlib only: it is run by its path, and replaced by the command)
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def leave_network() -> None:
    """Enter a new network namespace with nothing but a loopback interface; OSError where that is not allowed."""
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:  # allowed for root; others need a user namespace around it
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


def can_leave_network() -> bool:
    """Try it in a child: a try that fails half-way leaves a process of no use."""
    child = os.fork()
    if child == 0:
        try:
            leave_network()
        except OSError as error:
            print(f"isolate: no network namespace here ({error}); going on without", flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    if can_leave_network():
        leave_network()
    os.execvp(sys.argv[1], sys.argv[1:])
