import asyncio
import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest
from structlog.testing import capture_logs

from inference.engine.process import state_file
from inference.engine.process.handle import state_path
from jarvis.lib.processes import reap_child
from tests.support.bench import QUICK, kill
from tests.support.waiting import until


async def test_an_engine_is_started_warmed_and_ready(bench):
    engine = await bench.started()
    state = engine.state
    assert (state.phase, state.model, state.max_model_len, state.slots) == ("ready", "tiny", 2048, 64)
    assert not state.adopted
    assert state.pid in bench.marked()
    assert await engine.count_running() == 3
    assert (await engine.fetch_counters()).prompt_tokens == 41


async def test_the_run_directory_and_what_lies_in_it_are_for_the_owner_alone(bench):
    engine = await bench.started()
    assert stat.S_IMODE(engine.home.stat().st_mode) == 0o700
    assert stat.S_IMODE(state_path(engine.home).stat().st_mode) == 0o600
    assert stat.S_IMODE(engine.log_file.stat().st_mode) == 0o600


async def test_an_engine_outlives_its_worker_and_the_next_one_takes_it_over(bench):
    first = (await bench.started()).state.pid
    await bench.lose_worker()
    engine = await bench.started()
    assert engine.state.pid == first
    assert engine.state.adopted
    assert engine.deaths == 0


async def test_an_engine_that_still_loads_is_taken_over_and_waited_for(bench):
    bench.plan(load=1.0)
    engine = bench.keep(bench.engine())
    await until(lambda: engine.handle and engine.handle.pid)
    first = engine.handle.pid
    await bench.lose_worker()
    engine = await bench.started()
    assert engine.state.pid == first
    assert engine.state.adopted


async def test_an_engine_whose_worker_died_before_it_could_note_the_pid_is_found(bench):
    engine = await bench.started()
    first = engine.state.pid
    await bench.lose_worker()
    state_file.write_record(state_path(engine.home), replace_record(engine.handle.record, pid=0, started=0))
    assert (await bench.started()).state.pid == first


def replace_record(known, **changes):
    import msgspec

    return msgspec.structs.replace(known, **changes)


async def test_an_engine_with_other_arguments_is_named_and_left_alone(bench):
    first = (await bench.started()).state.pid
    await bench.lose_worker()
    (bench.model / "config.json").write_text('{"changed": true}')
    engine = bench.keep(bench.engine())
    await until(lambda: engine.state.phase == "failed")
    assert f"pid {first}" in engine.state.detail
    assert "JARVIS_AUTO_CLEANUP_GPU=1" in engine.state.detail
    assert "MiB" in engine.state.detail
    assert bench.marked() == [first]


async def test_once_a_person_has_ended_what_was_in_the_way_the_engine_starts(bench):
    first = (await bench.started()).state.pid
    await bench.lose_worker()
    (bench.model / "config.json").write_text('{"changed": true}')
    engine = bench.keep(bench.engine())
    await until(lambda: engine.state.phase == "failed")
    kill(first)
    await asyncio.wait_for(engine.wait_ready(), 10)
    assert engine.state.pid != first


async def test_an_engine_with_other_arguments_is_replaced_where_clean_up_is_on(bench):
    first = (await bench.started()).state.pid
    await bench.lose_worker()
    (bench.model / "config.json").write_text('{"changed": true}')
    engine = await bench.started(auto_cleanup_gpu=True)
    assert engine.state.pid != first
    assert bench.marked() == [engine.state.pid]


async def test_an_engine_that_does_not_answer_is_left_alone_or_replaced_as_configured(bench):
    first = (await bench.started()).state.pid
    await bench.lose_worker()
    os.kill(first, signal.SIGSTOP)
    engine = bench.keep(bench.engine())
    await until(lambda: engine.state.phase == "failed")
    assert "does not answer" in engine.state.detail
    assert bench.marked() == [first]
    await bench.lose_worker()
    engine = await bench.started(auto_cleanup_gpu=True)
    assert bench.marked() == [engine.state.pid]
    assert engine.state.pid != first


async def test_children_that_outlived_the_engine_are_found_and_ended_where_clean_up_is_on(bench):
    bench.plan(child=True)
    first = (await bench.started()).state.pid
    await bench.lose_worker()
    kill(first)
    await until(lambda: len(bench.marked()) == 1)
    reap_child(first)
    [orphan] = bench.marked()
    engine = bench.keep(bench.engine())
    await until(lambda: engine.state.phase == "failed")
    assert f"kill -- -{first}" in engine.state.detail
    assert bench.marked() == [orphan]
    await bench.lose_worker()
    bench.plan()
    engine = await bench.started(auto_cleanup_gpu=True)
    assert bench.marked() == [engine.state.pid]


async def test_a_foreign_process_with_the_recorded_pid_is_never_touched(bench):
    engine = await bench.started()
    known = engine.handle.record
    await bench.lose_worker()
    await engine.handle.end_processes(1)
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(sleeper, start_new_session=True) as foreign:  # noqa: ASYNC220 - it comes back at once
        state_file.write_record(state_path(engine.home), replace_record(known, pid=foreign.pid))
        engine = await bench.started(auto_cleanup_gpu=True)
        assert engine.state.pid != foreign.pid
        assert not engine.state.adopted
        await engine.stop()
        assert foreign.poll() is None
        foreign.kill()


async def test_a_process_whose_start_is_not_the_recorded_one_is_not_taken_over(bench):
    engine = await bench.started()
    first, known = engine.state.pid, engine.handle.record
    await bench.lose_worker()
    state_file.write_record(state_path(engine.home), replace_record(known, started=known.started - 1))
    engine = await bench.started(auto_cleanup_gpu=True)
    assert engine.state.pid != first
    assert not engine.state.adopted


async def test_a_second_worker_waits_while_the_first_holds_the_engine(bench):
    first = await bench.started()
    second = bench.keep(bench.engine(auto_cleanup_gpu=True))
    await until(lambda: second.state.phase == "failed")
    assert f"Another worker (pid {os.getpid()})" in second.state.detail
    task = bench.keepers.pop(0)[1]
    task.cancel()
    await asyncio.wait([task])
    await asyncio.wait_for(second.wait_ready(), 10)
    assert second.state.pid == first.state.pid


async def test_an_engine_that_dies_is_started_again(bench):
    engine = await bench.started()
    first = engine.state.pid
    kill(first)
    await until(lambda: engine.deaths == 1)
    assert "SIGKILL" in engine.state.detail
    await asyncio.wait_for(engine.wait_ready(), 10)
    assert engine.state.pid not in (None, first)
    assert engine.deaths == 1


async def test_the_session_serves_across_a_restart_of_the_engine(bench):
    engine = await bench.started()
    session = engine.session()
    kill(engine.state.pid)
    await until(lambda: engine.deaths)
    await asyncio.wait_for(engine.wait_ready(), 10)
    assert engine.session() is session
    assert await engine.count_running() == 3


@pytest.mark.alone
async def test_death_is_noticed_at_once_and_not_at_the_next_look(bench):
    engine = await bench.started(patience=replace(QUICK, poll_seconds=30))
    await asyncio.sleep(0.2)
    kill(engine.state.pid)
    await until(lambda: engine.deaths == 1, seconds=1)


@pytest.mark.alone
async def test_the_death_of_an_inner_process_is_noticed_at_once(bench):
    """The front goes on saying for a moment that all is well, as vLLM's does."""
    bench.plan(child=True)
    engine = await bench.started(patience=replace(QUICK, poll_seconds=30))
    [child] = [pid for pid in bench.marked() if pid != engine.state.pid]
    await asyncio.sleep(0.2)
    kill(child)
    asked = asyncio.create_task(engine.verify())
    await asyncio.sleep(0.3)
    bench.plan(health=503)
    assert not await asyncio.wait_for(asked, 1)
    assert engine.deaths == 1


async def test_the_end_of_a_helper_that_the_engine_can_do_without_ends_nothing(bench):
    bench.plan(child=True)
    engine = await bench.started(patience=replace(QUICK, suspicion_seconds=0.2))
    [child] = [pid for pid in bench.marked() if pid != engine.state.pid]
    kill(child)
    assert await asyncio.wait_for(engine.verify(), 2)
    assert engine.deaths == 0


async def test_an_engine_whose_core_died_is_ended_and_started_again(bench):
    engine = await bench.started()
    first = engine.state.pid
    bench.plan(health=503)
    await until(lambda: engine.deaths == 1)
    bench.plan()
    await asyncio.wait_for(engine.wait_ready(), 10)
    assert bench.marked() == [engine.state.pid] != [first]


async def test_an_engine_that_hangs_is_ended_and_started_again(bench):
    engine = await bench.started()
    first = engine.state.pid
    os.kill(first, signal.SIGSTOP)
    await until(lambda: engine.deaths == 1)
    await asyncio.wait_for(engine.wait_ready(), 10)
    assert bench.marked() == [engine.state.pid] != [first]


async def test_an_engine_that_answers_but_stands_still_is_started_again(bench):
    engine = await bench.started(engine_stall_seconds=0.6)
    first = engine.state.pid
    for _ in range(200):
        await engine.check_stall()
        if engine.deaths:
            break
        await asyncio.sleep(0.01)
    await until(lambda: "had work and did nothing for 0.6 s" in engine.state.detail)
    await asyncio.wait_for(engine.wait_ready(), 10)
    assert bench.marked() == [engine.state.pid] != [first]
    await engine.check_stall()
    assert engine.deaths == 1


async def test_an_engine_that_still_counts_is_not_ended_however_much_it_is_doubted(bench):
    engine = await bench.started(engine_stall_seconds=0.6)
    for counted in range(40):
        bench.plan(counted=counted)
        await engine.check_stall()
        await asyncio.sleep(0.03)
    assert engine.deaths == 0


async def test_asked_to_verify_it_looks_at_once(bench):
    engine = await bench.started(patience=replace(QUICK, poll_seconds=30))
    assert await engine.verify()
    bench.plan(health=503)
    assert not await asyncio.wait_for(engine.verify(), 1)
    assert engine.deaths == 1


async def test_the_pauses_between_restarts_grow(bench):
    bench.plan(exit=1, say="SomethingError: not today")
    engine = bench.keep(bench.engine(patience=replace(QUICK, first_pause_seconds=0.05, max_pause_seconds=0.2)))
    seen = []
    while "0.2 s" not in "".join(seen[-1:]):
        if engine.state.detail.startswith("The engine ended") and engine.state.detail not in seen:
            seen.append(engine.state.detail)
        await asyncio.sleep(0.01)
    assert [detail.partition("Next try in ")[2] for detail in seen] == ["0.05 s.)", "0.1 s.)", "0.2 s.)"]
    assert "SomethingError: not today" in seen[0]
    assert engine.state.phase == "failed"


async def test_a_fault_that_passes_is_tried_again_for_ever(bench):
    bench.plan(exit=1, say="torch.OutOfMemoryError: CUDA out of memory.")
    engine = bench.keep(bench.engine())
    await until(lambda: engine.state.phase == "failed")
    bench.plan()
    await asyncio.wait_for(engine.wait_ready(), 10)


async def test_a_permanent_fault_is_given_up_after_three_starts_with_what_to_do(bench):
    bench.plan(exit=2, say="api_server.py: error: unrecognized arguments: --nonsense 3")
    engine = bench.keep(bench.engine())
    await until(lambda: engine.state.phase == "failed" and "Next try" not in engine.state.detail)
    assert engine.state.detail == "vLLM does not know the argument --nonsense 3; correct the engine's arguments."
    assert len(list(engine.log_file.parent.glob("engine.log*"))) == 3
    assert bench.marked() == []


async def test_the_models_own_arguments_win_and_are_asked_for_at_each_start(bench):
    asked = []

    async def more():
        asked.append("--max-num-seqs 7")
        return asked[-1]

    engine = bench.keep(bench.engine(engine_args="--max-num-seqs 9", more=more))
    await asyncio.wait_for(engine.wait_ready(), 10)
    assert engine.state.slots == 7
    os.kill(engine.state.pid, signal.SIGKILL)
    await until(lambda: len(asked) == 2)


async def test_a_folder_that_is_not_there_is_a_failure_with_what_to_do(bench):
    engine = bench.keep(bench.engine(model="/nowhere/at-all"))
    await until(lambda: engine.state.phase == "failed")
    assert engine.state.detail == "There is no folder /nowhere/at-all; set JARVIS_MODEL to a model."


async def test_an_engine_that_refuses_its_first_question_is_never_ready(bench):
    bench.plan(first_answer=500)
    engine = bench.keep(bench.engine())
    await until(lambda: engine.state.phase == "failed")
    assert "refuses its first question" in engine.state.detail
    assert bench.marked() == []


async def test_stopping_leaves_no_process_no_socket_and_no_record(bench):
    bench.plan(child=True, stubborn=True)
    engine = await bench.started(patience=replace(QUICK, end_seconds=0.2))
    assert len(bench.marked()) == 2
    await bench.lose_worker()
    await engine.stop()
    assert bench.marked() == []
    assert not engine.socket.exists()
    assert not state_path(engine.home).exists()
    assert engine.state.phase == "stopped"


async def test_the_log_of_each_start_is_kept_apart(bench):
    bench.plan(say="first life")
    engine = await bench.started()
    bench.plan(say="second life")
    kill(engine.state.pid)
    await until(lambda: engine.deaths == 1)
    await asyncio.wait_for(engine.wait_ready(), 10)
    assert engine.log_file.read_text() == "second life\n"
    assert engine.log_file.with_name("engine.log.1").read_text() == "first life\n"


async def test_progress_is_told_while_the_engine_loads(bench):
    bench.plan(
        load=0.5, say="INFO Starting to load model tiny\nLoading safetensors checkpoint shards:  50% Completed | 1/2"
    )
    engine = bench.keep(bench.engine())
    await until(lambda: "50" in engine.state.detail)
    assert engine.state.phase == "loading"
    assert 0.75 < engine.state.progress < 0.9


async def test_the_engine_sees_no_secret_of_jarvis(bench, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://canary")
    monkeypatch.setenv("JARVIS_SECRET_KEY", "canary" * 10)
    monkeypatch.setenv("HF_TOKEN", "canary")
    engine = await bench.started()
    variables = psutil.Process(engine.state.pid).environ()
    assert "canary" not in str(variables)
    assert variables["VLLM_NO_USAGE_STATS"] == "1"


@pytest.mark.parametrize("network", [False, True])
async def test_an_engine_has_a_network_only_where_that_is_configured(bench, network):
    engine = await bench.started(engine_network=network)
    own, its = (os.readlink(f"/proc/{pid}/ns/net") for pid in ("self", engine.state.pid))
    assert (own == its) is network


async def test_a_folder_is_a_model_under_its_own_name(bench):
    engine = await bench.started(model=f"{bench.model}/")
    assert engine.state.model == "tiny"


@pytest.mark.parametrize("change", [{"engine_trust_remote_code": True}, {"engine_args": "--trust-remote-code"}])
async def test_that_a_models_own_code_may_run_is_noted_in_the_log(bench, change):
    with capture_logs() as logs:
        await bench.started(**change)
    assert [entry["log_level"] for entry in logs if entry["event"] == "engine.trusts_remote_code"] == ["warning"]
