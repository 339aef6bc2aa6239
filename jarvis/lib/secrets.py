"""The key that signs sessions: the configured one, or one made once and kept in `var/`."""

import hashlib
import os
import secrets
import sys
from pathlib import Path

from jarvis.lib.config import Config
from jarvis.lib.users import user_name


def secret_key(config: Config) -> str:
    """The configured key, else the one in `var/secret_key`, made on the first call. Two first calls agree on one.

    Ends the process with one line where there is no writing in `var/`: this is the first file that a start needs there.
    """
    if config.secret_key:
        return config.secret_key
    try:
        return _load_or_make_key(config.var)
    except OSError as error:
        place = Path(error.filename or config.var)
        if isinstance(error, PermissionError) and (place.exists() and place.stat().st_uid != os.geteuid()):
            own = user_name(os.geteuid())
            sys.exit(
                f"Jarvis cannot start. {place} belongs to {user_name(place.stat().st_uid)}, and you are {own}. If a "
                f"backup was put back, run `sudo chown -R {own}: {config.var}`; else set JARVIS_VAR to another folder."
            )
        sys.exit(f"Jarvis cannot start. {error.strerror}: {place}. Mend that, or set JARVIS_VAR to another folder.")


def cookie_name(kind: str, key: str) -> str:
    """The name of a cookie of this Jarvis alone, such as `jarvis_session_3f9a1c`, where `key` is its secret key.

    Browsers keep cookies by host, whatever the port: under the usual names every Django site there, and under one name
    every Jarvis there, would take the others' cookies for its own.
    """
    return f"jarvis_{kind}_{hashlib.sha256(b'jarvis.cookies:' + key.encode()).hexdigest()[:6]}"


def _load_or_make_key(var: Path) -> str:
    path = var / "secret_key"
    var.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f"secret_key.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(64))
        try:
            os.link(draft, path)  # fails where another process was first: its key stands
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()
