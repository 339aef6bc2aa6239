"""The outputs are what vLLM 0.32.0 wrote when it was given such a model or argument, shortened."""

import pytest

from inference.engine.errors import diagnose

CORE = "(EngineCore pid=30584) ERROR 11-22 14:46:04 [core.py:1510] "
NOISE = (
    "(APIServer pid=1) WARNING 11-22 14:45:41 [system_utils.py:255] Found ulimit of 20000. "
    "This can cause errors like `OSError: [Errno 24] Too many open files`. Consider increasing with ulimit -n\n"
)

LASTING = [
    ("api_server.py: error: unrecognized arguments: --nonsense", "--nonsense; correct the engine's arguments"),
    (
        "api_server.py: error: argument --max-num-seqs: invalid int value: 'many'",
        "--max-num-seqs: invalid int value: 'many'",
    ),
    (
        "ValidationError: 1 validation error for ModelConfig\n  Value error, Model architectures "
        "['NoSuchForCausalLM'] are not supported for now. Supported architectures: ['LlamaForCausalLM']",
        r"\('NoSuchForCausalLM'\); choose another model",
    ),
    (
        "Value error, The checkpoint you are trying to load has model type `nosuchtype` but Transformers does not "
        "recognize this architecture.",
        "do not know the model's architecture",
    ),
    (
        "Value error, The repository /models/own contains custom code which must be executed to load the model.",
        "JARVIS_ENGINE_TRUST_REMOTE_CODE=1",
    ),
    (CORE + "RuntimeError: Cannot find any model weights with `/models/x`", "folder is not complete"),
    ("OSError: It looks like the config file at '/x/config.json' is not a valid JSON file.", "folder is not complete"),
    ("safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata", "is damaged"),
    ('  File "repo_utils.py", line 320, in parse_safetensors_file_metadata\nMemoryError', "is damaged"),
    ("Value error, User-specified max_model_len (999999) is greater than the derived", "--max-model-len 999999"),
    (CORE + "ValueError: No available memory for the cache blocks. Try increasing", "raise JARVIS_ENGINE_MEMORY"),
    (
        "pydantic_core.ValidationError: 1 validation error for VllmConfig\n  Value error, bad heads. [type=x]",
        r"refuses its configuration \(bad heads\)",
    ),
    ("ModuleNotFoundError: No module named 'vllm'", "vLLM is not installed"),
]
PASSING = [
    ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", "too little free memory"),
    (
        CORE + "ValueError: Free memory on device cuda:0 (10.1/139.7 GiB) on startup is less than desired GPU memory",
        "too little free memory",
    ),
    ("OSError: [Errno 28] No space left on device: '/root/.cache/vllm'", "The disk is full"),
    ("RuntimeError: CUDA error: device-side assert triggered", "see `nvidia-smi`"),
    (
        CORE + "ZeroDivisionError: by zero\n(APIServer pid=1) INFO 11-22 14:45:41 [x.py:1] bye",
        "ZeroDivisionError: by zero",
    ),
]


@pytest.mark.parametrize(("output", "said"), LASTING)
def test_a_fault_that_only_a_person_can_heal_is_permanent_and_says_how(output, said):
    fault = diagnose(NOISE + output, 1)
    assert fault.permanent
    with pytest.raises(type(fault), match=said):
        raise fault


@pytest.mark.parametrize(("output", "said"), PASSING)
def test_a_fault_that_may_pass_is_not_permanent(output, said):
    fault = diagnose(NOISE + output, 1)
    assert not fault.permanent
    with pytest.raises(type(fault), match=said):
        raise fault


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (-9, "killed by the system or a person"),
        (-15, "ended by SIGTERM"),
        (3, "with status 3"),
        (None, "without a word"),
    ],
)
def test_an_end_without_words_is_told_by_its_status(status, said):
    fault = diagnose(NOISE, status)
    assert said in str(fault)
    assert not fault.permanent
