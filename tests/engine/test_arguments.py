import sys
from pathlib import Path

import pytest

from inference.engine import arguments
from inference.engine.arguments import Options
from inference.engine.errors import EngineError
from inference.engine.model.folder import ModelFolder

SOCKET = Path("/run/engine.sock")
HOME = Path("/run/jarvis")


@pytest.fixture
def model(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "qwen3"}')
    (tmp_path / "model.safetensors").write_bytes(bytes(1000))
    return ModelFolder("guide", tmp_path)


def after(line, name):
    return line[line.index(name) + 1]


def test_the_server_listens_on_the_socket_and_on_no_port(model):
    line = arguments.build_command(model, Options(), SOCKET)
    assert line[1:3] == ["-m", "vllm.entrypoints.openai.api_server"]
    assert after(line, "--uds") == "/run/engine.sock"
    assert "--port" not in line
    assert "--host" not in line


@pytest.mark.parametrize("given", ["--port 8000", "--host=0.0.0.0", "--uds /tmp/x", "--api_key=x", "--model other"])
def test_what_would_open_a_port_or_is_set_elsewhere_is_refused_by_name(given):
    with pytest.raises(EngineError, match="arguments may not hold") as caught:
        arguments.split_arguments(given)
    assert caught.value.permanent


def test_an_open_quote_is_refused():
    with pytest.raises(EngineError, match="cannot be read"):
        arguments.split_arguments("--seed '1")


def test_code_of_a_model_is_not_run_unless_an_operator_says_so(model):
    assert "--trust-remote-code" not in arguments.build_command(model, Options(), SOCKET)
    assert "--trust-remote-code" in arguments.build_command(model, Options(trust_remote_code=True), SOCKET)


def test_on_a_cpu_nothing_is_compiled_and_a_small_model_counts_in_float32(model):
    line = arguments.build_command(model, Options(), SOCKET)
    assert "--enforce-eager" in line
    assert after(line, "--dtype") == "float32"
    assert "--gpu-memory-utilization" not in line
    variables = arguments.build_environment(Options(threads=2), {}, HOME)
    assert variables["TORCHDYNAMO_DISABLE"] == "1"
    assert variables["OMP_NUM_THREADS"] == "2"


def test_on_a_gpu_the_share_of_memory_is_the_configured_one(model):
    line = arguments.build_command(model, Options(gpu=True, memory=0.45), SOCKET)
    assert after(line, "--gpu-memory-utilization") == "0.45"
    assert "--enforce-eager" not in line
    assert "TORCHDYNAMO_DISABLE" not in arguments.build_environment(Options(gpu=True), {}, HOME)


def test_the_operators_arguments_come_last_and_count(model):
    options = Options(gpu=True, extra=arguments.split_arguments("--max-num-seqs=7 --gpu_memory_utilization 0.3 -tp 2"))
    assert arguments.build_command(model, options, SOCKET)[-5:] == list(options.extra)
    assert arguments.count_slots(options) == 7
    assert arguments.gpu_share(options) == 0.3
    assert arguments.count_gpus(options) == 2


@pytest.mark.parametrize(("options", "slots"), [(Options(), 64), (Options(gpu=True), 256), (Options(slots=5), 5)])
def test_slots_are_the_configured_ones_or_what_is_usual(options, slots):
    assert arguments.count_slots(options) == slots


def test_the_engine_is_offline_and_sends_no_statistics_whatever_the_environment_says():
    variables = arguments.build_environment(Options(), {"VLLM_NO_USAGE_STATS": "0", "HF_HUB_OFFLINE": "0"}, HOME)
    assert variables["VLLM_NO_USAGE_STATS"] == variables["DO_NOT_TRACK"] == variables["HF_HUB_OFFLINE"] == "1"
    assert "VLLM_NO_USAGE_STATS" not in arguments.build_environment(Options(telemetry=True), {}, HOME)


def test_only_what_the_engine_needs_of_the_environment_reaches_it():
    own = {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "1", "DATABASE_URL": "x", "HF_TOKEN": "x", "JARVIS_API_KEYS": "x"}
    variables = arguments.build_environment(Options(), own, HOME)
    assert variables["PATH"] == "/bin"
    assert variables["CUDA_VISIBLE_DEVICES"] == "1"
    assert "x" not in variables.values()


def test_the_engine_looks_for_libraries_beside_python_first():
    own = str(Path(sys.prefix, "libraries"))
    assert arguments.build_environment(Options(), {}, HOME)["LD_LIBRARY_PATH"] == own
    assert (
        arguments.build_environment(Options(), {"LD_LIBRARY_PATH": "/opt/cuda"}, HOME)["LD_LIBRARY_PATH"]
        == f"{own}:/opt/cuda"
    )


def test_tools_and_reasoning_are_taken_apart_where_family_and_template_know_them(model):
    (model.folder / "chat_template.jinja").write_text("{% if tools %}{{ tools }}{% endif %}<think>")
    line = arguments.build_command(model, Options(), SOCKET)
    assert after(line, "--tool-call-parser") == "hermes"
    assert after(line, "--reasoning-parser") == "qwen3"


def test_a_template_without_tools_gets_no_parser(model):
    assert "--tool-call-parser" not in arguments.build_command(model, Options(), SOCKET)


def test_an_engine_with_another_model_version_or_setting_has_another_fingerprint(model):
    prints = {
        arguments.fingerprint(model, ["a"], {}, "1"),
        arguments.fingerprint(model, ["b"], {}, "1"),
        arguments.fingerprint(model, ["a"], {"VLLM_X": "1"}, "1"),
        arguments.fingerprint(model, ["a"], {}, "2"),
    }
    assert len(prints) == 4
    assert arguments.fingerprint(model, ["a"], {"PATH": "/elsewhere"}, "1") in prints
    (model.folder / "model.safetensors").write_bytes(bytes(2000))
    assert arguments.fingerprint(model, ["a"], {}, "1") not in prints


def test_a_large_model_wants_its_weights_a_cache_and_room_to_run(model):
    with (model.folder / "model.safetensors").open("wb") as file:
        file.truncate(4 * arguments.GIB)
    options = Options(total=32 * arguments.GIB)
    assert arguments.estimate_ram_bytes(model, options) == (2 + 4 + 4) * arguments.GIB
    assert "--dtype" not in arguments.build_command(model, options, SOCKET)


def test_a_small_model_counts_in_one_thread_and_a_large_one_leaves_a_core_to_the_others(model):
    assert arguments.count_threads(model, 8) == 1
    with (model.folder / "model.safetensors").open("wb") as file:
        file.truncate(arguments.GIB)
    assert arguments.count_threads(model, 8) == 7
    assert arguments.count_threads(model, 1) == 1


def test_a_folder_without_a_configuration_is_no_model(tmp_path):
    with pytest.raises(EngineError, match=r"has no config\.json"):
        ModelFolder("x", tmp_path)
