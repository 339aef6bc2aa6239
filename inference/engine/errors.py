"""Why an engine does not run, as one sentence that says what to do."""

import re
import signal

PERMANENT = True
TEMPORARY = False


class EngineError(Exception):
    """The engine cannot run.

    `permanent`: starting it again cannot help, until somebody changes the configuration. `blocked`: something outside
    is in the way, and when a person has removed it the engine can start.
    """

    def __init__(self, sentence: str, *, permanent: bool = False, blocked: bool = False) -> None:
        super().__init__(sentence)
        self.permanent = permanent
        self.blocked = blocked


# What vLLM says in its log, what that means, and whether it will say so again. The first that fits counts.
KNOWN_ERRORS: list[tuple[re.Pattern[str], str, bool]] = [
    (re.compile(pattern), sentence, permanent)
    for pattern, sentence, permanent in [
        (
            r"No module named '?(vllm(?:\.\w+)*)",
            "vLLM is not installed here, or not completely; `make run` installs it.",
            PERMANENT,
        ),
        (
            r"error: unrecognized arguments: (?P<what>.+)",
            "vLLM does not know the argument {what}; correct the engine's arguments.",
            PERMANENT,
        ),
        (
            r"api_server\.py: error: (?P<what>.+)",
            "vLLM refuses its arguments ({what}); correct the engine's arguments.",
            PERMANENT,
        ),
        (
            r"requires you to execute the config|contains custom code which must be|`trust_remote_code=True`",
            "The model brings code of its own, which is not run by default; "
            "if you trust it, set JARVIS_ENGINE_TRUST_REMOTE_CODE=1.",
            PERMANENT,
        ),
        (
            r"Model architectures? \[?(?P<what>[^\]\n]+?)\]? (?:are|is) not supported",
            "vLLM cannot serve the model's architecture ({what}); choose another model in JARVIS_MODEL.",
            PERMANENT,
        ),
        (
            r"does not recognize this architecture|model type `(?P<what>[^`]+)` but Transformers does not",
            "The installed libraries do not know the model's architecture; choose another model in JARVIS_MODEL.",
            PERMANENT,
        ),
        (
            r"[Ii]nvalid [Rr]epository ID or local directory|[Cc]an't load the configuration"
            r"|does not appear to have a file named|Cannot find any model weights|not a valid JSON file",
            "The model's folder is not complete; look at JARVIS_MODEL, or delete the folder for a new download.",
            PERMANENT,
        ),
        (
            r"SafetensorError|Error while deserializing header|in parse_safetensors_file_metadata",
            "A weight file of the model is damaged; delete the model's folder to have it downloaded again.",
            PERMANENT,
        ),
        (
            r"User-specified max_model_len \((?P<what>\d+)\) is greater",
            "The model has a shorter context than --max-model-len {what}; correct the engine's arguments.",
            PERMANENT,
        ),
        (
            r"KV cache is needed, which is larger than the available|No available memory for the cache blocks",
            "The memory left beside the weights is too small for one answer; raise JARVIS_ENGINE_MEMORY, "
            "or set --max-model-len lower in the engine's arguments.",
            PERMANENT,
        ),
        (
            r"OutOfMemoryError|CUDA out of memory|Free memory on device .* is less than desired"
            r"|Available memory on node .* is less than|DefaultCPUAllocator: |std::bad_alloc",
            "There is too little free memory for the model; end what holds it, lower JARVIS_ENGINE_MEMORY "
            "or choose a smaller model.",
            TEMPORARY,
        ),
        (
            r"ValidationError: \d+ validation errors? for \w+\n\s+(?:Value error, )?(?P<what>[^\n[]+)",
            "vLLM refuses its configuration ({what}); correct the engine's arguments or JARVIS_MODEL.",
            PERMANENT,
        ),
        (
            r"No space left on device",
            "The disk is full; free some space.",
            TEMPORARY,
        ),
        (
            r"(?:CUDA error|CUDA driver|NVIDIA driver)(?P<what>[^\n]{0,120})",
            "The GPU or its driver failed ({what}); see `nvidia-smi`.",
            TEMPORARY,
        ),
    ]
]

_PREFIX = re.compile(r"^(?:\([^)]*\)\s*)?(?:[A-Z]+ \d\d-\d\d \d\d:\d\d:\d\d \[[^\]]+\]\s*)?")
_ERROR = re.compile(r"^[\w.]*(?:Error|Exception|Exit)\b.*")


def diagnose(output: str, status: int | None = None) -> EngineError:
    """The fault that an engine's last output and exit status tell of; a negative status is the signal that ended it."""
    for pattern, sentence, permanent in KNOWN_ERRORS:
        if found := list(pattern.finditer(output)):
            what = (found[-1].groupdict().get("what") or "").strip(" :.")[:200]
            return EngineError(sentence.format(what=what), permanent=permanent)
    if status == -9:
        return EngineError("The engine was killed by the system or a person (SIGKILL); most often memory had run out.")
    if line := _last_error(output):
        return EngineError(f"The engine ended: {line[:300]} (its log has the rest).")
    if status is not None and status < 0:
        return EngineError(f"The engine was ended by {signal.Signals(-status).name}.")
    ending = f"with status {status}" if status is not None else "without a word"
    return EngineError(f"The engine ended {ending}; its log may say why.")


def _last_error(output: str) -> str:
    lines = [_PREFIX.sub("", line).strip() for line in output.splitlines()]
    return next((line for line in reversed(lines) if _ERROR.match(line)), "")
