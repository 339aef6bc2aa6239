"""How many files a process may have open: each connection is one, and so is each it needs to serve that one."""

import resource

FEW_FILES = 1024  # below this a start says so
RESERVED_FILES = 192  # for Postgres, Redis, logs and libraries of a process; half of the limit, where that is less


def max_open_files() -> int:
    """The limit of this process, as it is now."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else soft


def max_connections(files: int | None = None) -> int:
    """How many connections a process may hold under a limit of open files, by default its own."""
    files = max_open_files() if files is None else files
    return max(1, files - min(RESERVED_FILES, files // 2))
