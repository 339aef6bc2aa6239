"""The key that signs sessions: the configured one, or one made once and kept in `var/`."""

import os
import secrets

from jarvis.config import Config


def secret_key(config: Config) -> str:
    """The configured key, else the one in `var/secret_key`, made on the first call. Two first calls agree on one."""
    if config.secret_key:
        return config.secret_key
    path = config.var / "secret_key"
    config.var.mkdir(parents=True, exist_ok=True)
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
