"""What people are told of the engine, without any socket."""

import pytest

from accounts.authentication import Caller
from accounts.models import Scope
from chat.ws.engine_state import make_state, summarise_models
from inference.worker_state import EngineState, WorkerState

STAFF = Caller(1, "carol", scopes=frozenset({Scope.CHAT, Scope.ADMIN_READ}))
ALICE = Caller(2, "alice")
BOB = Caller(3, "bob", models=frozenset({"b"}))
ENGINE = "http://127.0.0.1:18191 cannot be reached; correct JARVIS_ENGINE_URL."


def worker(model, phase, detail="", **fields):
    return WorkerState("w", "host", 1, 0.0, EngineState(phase, detail, model=model), **fields)


WORKERS = [worker("a", "ready"), worker("a", "failed", ENGINE), worker("b", "failed", ENGINE), worker("", "starting")]


def phases(workers, caller):
    state = make_state(summarise_models(workers), caller)
    return state.phase, {model.model: model.phase for model in state.models}


def test_each_model_is_as_its_best_worker_has_it():
    assert phases(WORKERS, ALICE) == ("ready", {"a": "ready", "": "starting", "b": "failed"})


@pytest.mark.parametrize("caller", [ALICE, BOB])
@pytest.mark.parametrize("workers", [None, [], WORKERS, WORKERS[2:3]])
def test_only_staff_is_told_details(workers, caller):
    state = make_state(summarise_models(workers), caller)
    assert state.detail == ""
    assert not [model for model in state.models if model.detail]
    told = make_state(summarise_models(workers), STAFF)
    assert told.detail or told.phase == "ready"
    if workers:
        assert {model.model: model.detail for model in told.models}["b"] == ENGINE


def test_a_model_that_is_hidden_from_somebody_is_not_named_to_them():
    assert phases(WORKERS, BOB) == ("starting", {"": "starting", "b": "failed"})
    assert phases(WORKERS[:2], BOB) == ("absent", {})
    assert make_state(summarise_models(WORKERS), BOB).ready == []


def test_a_paused_model_is_not_ready_unless_another_worker_has_it():
    paused = worker("a", "ready", paused=True)
    assert phases([paused], ALICE) == ("paused", {"a": "paused"})
    assert make_state(summarise_models([paused]), ALICE).ready == []
    assert phases([paused, worker("a", "ready")], ALICE) == ("ready", {"a": "ready"})
    assert phases([worker("a", "loading", paused=True)], ALICE) == ("loading", {"a": "loading"})
