"""What is said of an address at which there is nothing: the one that was meant, where it can be told.

Most come from a base address that lacks `/v1`, has it twice or ends in a slash, and from clients of other services.
"""

from collections.abc import Iterator

from django.urls import Resolver404, resolve

from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError

MAX_SUGGESTED_CHARS = 200  # characters of an address that somebody may have mistyped
MAX_SUFFIX_PARTS = 3  # parts at the end of an address that are looked for under /v1 and /api
CATCH_ALL = ("api/v1/", "admin/(?P<url>.*)$")  # routes that answer 404 to whatever comes

ASK = "Use POST /v1/chat/completions instead."
BASE = "The base address of a client of OpenAI ends in /v1."
# What other services have and Jarvis has not, by a word of the address.
OLLAMA = "Ollama's own API is not served here, but OpenAI's is."
EMBEDDINGS = "Embeddings are not served here. Of OpenAI's API there are /v1/chat/completions and /v1/models."
NOT_SERVED = "This part of OpenAI's API is not served here. There are /v1/chat/completions and /v1/models."
ABSENT = {
    **dict.fromkeys(["audio", "images", "videos", "files", "uploads", "batches", "moderations"], NOT_SERVED),
    **dict.fromkeys(["fine_tuning", "vector_stores", "containers", "evals", "organization"], NOT_SERVED),
    **dict.fromkeys(["rerank", "score", "classify", "pooling", "tokenize", "detokenize"], NOT_SERVED),
    **dict.fromkeys(["embeddings", "embed"], EMBEDDINGS),
    "responses": f"The Responses API is not served here. {ASK} Most clients have a switch for it.",
    "completions": f"Completions of a bare prompt are not served here. {ASK}",
    "messages": f"Anthropic's API is not served here. {ASK}",
    **dict.fromkeys(["assistants", "threads"], f"The Assistants API is not served here. {ASK}"),
    **dict.fromkeys(["realtime", "engines"], f"This is not served here. {ASK}"),
    "generate": f"{OLLAMA} {ASK} {BASE}",
    **dict.fromkeys(["tags", "show", "ps"], f"{OLLAMA} GET /v1/models lists the models. {BASE}"),
    **dict.fromkeys(["healthz", "livez"], "Use /health instead."),
    "readyz": "Use /health/ready instead.",
}


def explain_wrong_address(path: str) -> ApiError:
    """404 with what to use instead; `path` begins with a slash."""
    return api_errors.not_found(path, advise(path))


def advise(path: str) -> str:
    """A sentence about what may have been meant."""
    if len(path) > MAX_SUGGESTED_CHARS:
        path = "/"
    parts = [part for part in path.split("/") if part]
    for meant in suggest_addresses(parts):
        if meant != path and is_served(meant):
            return f"Use {meant} instead. {BASE}" if meant.startswith("/v1/") else f"Use {meant} instead."
    for word in reversed(parts):
        if word in ABSENT:
            return ABSENT[word]
    if parts[:1] == ["api"]:
        return "/api/schema/ describes what is under /api, and OpenAI's API is under /v1."
    return f"The routes are /v1/chat/completions and /v1/models, without a final slash. {BASE}"


def suggest_addresses(parts: list[str]) -> Iterator[str]:
    """The address without doubled slashes and with or without the last one; then where its end would be at home, the
    longest end first."""
    plain = "/" + "/".join(parts)
    yield from (plain, f"{plain}/")
    for count in range(min(MAX_SUFFIX_PARTS, len(parts)), 0, -1):
        yield "/v1/" + "/".join(parts[-count:])
    if end := "/".join(part for part in parts if part not in ("api", "v1")):
        yield from (f"/api/{end}", f"/api/v1/{end}/")


def is_served(path: str) -> bool:
    """Whether something answers at an address, if only with a refusal."""
    try:
        return resolve(path).route not in CATCH_ALL
    except Resolver404:
        return False


def with_final_slash(path: str) -> str | None:
    """The address with a slash behind it, where something is there and nothing without it."""
    if path.endswith("/") or not is_served(f"{path}/"):
        return None
    return f"/{path.lstrip('/')}/"  # two slashes before it would name another host
