"""A folder that no engine could serve is told in a sentence before one is started."""

import json
import os

import pytest

from inference.engine.errors import EngineError
from inference.engine.model.check import check_folder
from inference.engine.model.folder import GUIDE, ModelFolder
from tests.support.bench import safetensors_file
from tests.support.waiting import until

WEIGHTS = safetensors_file(64)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 8000000\n"
INDEX = json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}).encode()
WHOLE = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": WEIGHTS}
SHARDS = {"model-1.safetensors": WEIGHTS, "model-2.safetensors": WEIGHTS, "model.safetensors.index.json": INDEX}
UNSERVED = {name: content for name, content in WHOLE.items() if name != "model.safetensors"}
WITHOUT_TOKENIZER = {name: content for name, content in WHOLE.items() if name != "tokenizer.json"}


def make(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def check(folder, **options):
    model = ModelFolder("m", folder)
    assert isinstance(model.config, dict)
    assert model.weight_bytes >= 0
    assert isinstance(model.template, str)
    check_folder(folder, **options)


@pytest.mark.parametrize(
    "files",
    [
        WHOLE,
        UNSERVED | SHARDS,
        UNSERVED | {"pytorch_model.bin": b"x"},
        UNSERVED | {"consolidated.safetensors": WEIGHTS, "model.safetensors.index.json": INDEX},
        {"config.json": b"{}", "model.safetensors": WEIGHTS, "vocab.json": b"{}"},
        WHOLE | {"tokenizer_config.json": b"[]", "chat_template.jinja": b"\xff"},
    ],
)
def test_a_folder_that_can_be_served_is_let_through(tmp_path, files):
    check(make(tmp_path, files))


def test_the_guide_is_whole():
    check(GUIDE)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "is empty: it has no config.json, so it is no model; correct JARVIS_MODEL"),
        ({"README.md": b""}, r"has no config\.json, so it is no model"),
        ({"q4.gguf": b"GGUF"}, "holds a GGUF file"),
        ({"adapter_config.json": b"{}"}, "is an adapter, not a whole model"),
        ({"snapshots/abc/config.json": b"{}"}, r"but \S+/snapshots/abc is one; set JARVIS_MODEL to that"),
        (WHOLE | {"config.json": b""}, r"config\.json is not JSON"),
        (WHOLE | {"config.json": b"[]"}, r"config\.json is no configuration"),
        (WHOLE | {"config.json": b"[" * 100_000}, r"config\.json is not JSON"),
        (WHOLE | {"config.json": POINTER}, r"in the place of config\.json; run `git lfs pull` there"),
        (UNSERVED, r"has no weights \(\*\.safetensors\); copy the whole model there"),
        (UNSERVED | {".jarvis-complete": b""}, "has no weights .* delete the folder, and it is downloaded again"),
        (UNSERVED | {"model.safetensors.part": b""}, r"\(model\.safetensors\.part is not complete\)"),
        (WHOLE | {"model.safetensors": b""}, r"model\.safetensors in \S+ is empty"),
        (WHOLE | {"model.safetensors": POINTER, "tokenizer.json": POINTER}, "place of model.safetensors, tokenizer"),
        (WHOLE | {"model.safetensors": WEIGHTS[:-1]}, rf"it has {len(WEIGHTS) - 1} of {len(WEIGHTS)} bytes"),
        (WHOLE | {"model.safetensors": WEIGHTS[:20]}, "is cut off after 20 bytes"),
        (WHOLE | {"model.safetensors": WEIGHTS[:5]}, "is damaged"),
        (WHOLE | {"model.safetensors": b"<!DOCTYPE html><html>"}, "is damaged"),
        (WHOLE | {"model.safetensors": bytes(500)}, "is damaged"),
        (WHOLE | {"model.safetensors": b"\x02" + bytes(7) + b"{}"}, "holds no weights"),
        (UNSERVED | {"pytorch_model.bin": b""}, "is empty"),
        (UNSERVED | {"model.safetensors.index.json": INDEX}, "lacks model-1.safetensors, model-2.safetensors, which"),
        (UNSERVED | SHARDS | {"model-2.safetensors": b""}, r"model-2\.safetensors in \S+ is empty"),
        (WHOLE | {"model.safetensors.index.json": INDEX[:-5]}, r"index\.json is damaged"),
        (WHOLE | {"model.safetensors.index.json": b"[]"}, r"index\.json is damaged"),
        (WITHOUT_TOKENIZER, r"has no tokenizer \(tokenizer\.json\)"),
    ],
)
def test_what_is_missing_is_told_in_one_sentence(tmp_path, files, sentence):
    with pytest.raises(EngineError, match=sentence) as error:
        check(make(tmp_path, files))
    assert error.value.permanent
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_links_to_nothing_are_told_apart_from_what_is_missing(tmp_path):
    make(tmp_path, UNSERVED)
    (tmp_path / "model.safetensors").symlink_to("../../blobs/0123")
    with pytest.raises(EngineError, match=r"model\.safetensors in \S+ is a link to nothing; copy .* `cp -rL`"):
        check(tmp_path)


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path):
    make(tmp_path, {"model.gguf": b""})
    with pytest.raises(EngineError, match="is a file; set JARVIS_MODEL to the folder"):
        check(tmp_path / "model.gguf")


@pytest.mark.parametrize("call", ["listdir", "open"])
def test_what_may_not_be_read_is_told_with_the_right_that_is_missing(tmp_path, monkeypatch, call):
    make(tmp_path, WHOLE)

    def refuse(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", refuse) if call == "listdir" else monkeypatch.setattr("io.open", refuse)
    with pytest.raises(EngineError, match=r"cannot be read \(Permission denied\); give the user that runs Jarvis"):
        check(tmp_path)


@pytest.mark.parametrize(
    ("files", "options"),
    [
        (UNSERVED, {"load_format": "dummy"}),
        ({"config.json": b"{}", "model.safetensors": WEIGHTS}, {"own_tokenizer": False}),
    ],
)
def test_what_the_engine_will_not_look_for_is_not_missed(tmp_path, files, options):
    check(make(tmp_path, files), **options)


async def test_no_engine_is_started_on_a_folder_without_weights(bench):
    (bench.model / "model.safetensors").unlink()
    engine = bench.keep(bench.engine())
    await until(lambda: engine.state.phase == "failed")
    assert engine.state.detail.startswith(f"{bench.model} has no weights")
    assert not engine.log_file.exists()
    assert engine.state.given_up


async def test_a_program_of_the_operators_own_is_started_on_any_folder(bench):
    (bench.model / "model.safetensors").unlink()
    await bench.started(engine_command="serve anything")
