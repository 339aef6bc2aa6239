"""The accounts of this machine, not those of Jarvis."""

import pwd


def user_name(uid: int) -> str:
    """The name of an account of this machine, else its number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"
