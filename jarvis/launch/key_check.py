"""Whether this host has the secret key that the database was used with.

Under another one sessions end, links open nothing and second factors cannot be read, all of it in silence.
"""

from django.core import signing

from jarvis.launch.errors import LaunchError
from jarvis.lib.config import Config
from jarvis.models import SecretKeyMark

SALT = "jarvis.secret-key"
WORD = "used here"


def check_secret_key(config: Config, *, accept: bool = False) -> None:
    """Raises LaunchError where the key is another one. `accept`: from now on this one is the database's."""
    own = signing.dumps(WORD, salt=SALT)
    mark, _ = SecretKeyMark.objects.get_or_create(pk=1, defaults={"signed": own})
    if is_signed_here(mark.signed):
        return
    if accept:
        SecretKeyMark.objects.update(signed=own)
        return
    place = "JARVIS_SECRET_KEY" if config.secret_key else str(config.var / "secret_key")
    raise LaunchError(
        f"The database was used with another secret key than the one in {place}. Put the other Jarvis's var/secret_key "
        "there, or set JARVIS_SECRET_KEY to it on every host. If it is lost: `make run ARGS=--accept-key` goes on with "
        "this one; everybody signs in again, and second factors are removed by `manage.py twofactor off NAME`"
    )


def is_signed_here(signed: str) -> bool:
    try:
        return bool(signing.loads(signed, salt=SALT) == WORD)
    except signing.BadSignature:
        return False
