import asyncio
from contextlib import asynccontextmanager

from aiohttp import web

from inference.engine.base import RemoteEngine
from tests.support.waiting import until


class Server:
    """An OpenAI-compatible server that is not vLLM: it has models, and nothing else."""

    def __init__(self):
        vllms = {"id": "second", "max_model_len": 4096, "owned_by": "vllm"}
        self.models = {"data": [{"id": "llama3", "owned_by": "library"}, vllms]}
        self.status, self.key = 200, ""

    async def answer(self, request):
        self.key = request.headers.get("authorization", "")
        return web.json_response(self.models, status=self.status)

    @asynccontextmanager
    async def running(self, port=0):
        application = web.Application()
        application.router.add_get("/v1/models", self.answer)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


@asynccontextmanager
async def kept(engine):
    task = asyncio.create_task(engine.run())
    try:
        yield engine
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_server_that_is_there_is_ready_with_its_first_model():
    server = Server()
    async with server.running() as url, kept(RemoteEngine(url, "secret", poll_seconds=0.05)) as engine:
        await asyncio.wait_for(engine.wait_ready(), 5)
        assert (engine.state.phase, engine.state.model, engine.state.goes_on) == ("ready", "llama3", False)
        assert engine.state.slots > 0
        assert server.key == "Bearer secret"
        assert await engine.count_running() == 0


async def test_a_model_that_is_asked_for_by_name_is_taken_or_missed():
    async with Server().running() as url:
        async with kept(RemoteEngine(url, model="second")) as engine:
            await asyncio.wait_for(engine.wait_ready(), 5)
            assert (engine.state.model, engine.state.max_model_len, engine.state.goes_on) == ("second", 4096, True)
        async with kept(RemoteEngine(url, model="third")) as engine:
            await until(lambda: engine.state.phase == "failed")
            assert engine.state.detail == f"{url} does not serve third, but llama3, second."


async def test_a_server_that_goes_away_and_comes_back_is_waited_for():
    server = Server()
    async with server.running() as url:
        port = int(url.rpartition(":")[2])
        engine = RemoteEngine(url, poll_seconds=0.05, max_pause_seconds=0.2)
        task = asyncio.create_task(engine.run())
        await asyncio.wait_for(engine.wait_ready(), 5)
    await until(lambda: engine.deaths == 1)
    assert engine.state.phase == "failed"
    assert "cannot be reached" in engine.state.detail
    assert "JARVIS_ENGINE_URL" in engine.state.detail
    engine.unknown_fields.add("top_k")
    async with server.running(port):
        await asyncio.wait_for(engine.wait_ready(), 5)
        assert engine.state.phase == "ready"
        assert engine.unknown_fields == set()  # it may be another server
        task.cancel()
        await asyncio.wait([task])


async def test_a_refused_key_is_named():
    server = Server()
    server.status = 401
    async with server.running() as url, kept(RemoteEngine(url)) as engine:
        await until(lambda: engine.state.phase == "failed")
        assert "JARVIS_ENGINE_API_KEY" in engine.state.detail


async def test_a_server_of_another_kind_is_named():
    server = Server()
    server.models = {"hello": "world"}
    async with server.running() as url, kept(RemoteEngine(url)) as engine:
        await until(lambda: engine.state.phase == "failed")
        assert "does not answer as the OpenAI API does" in engine.state.detail


async def test_asked_to_verify_it_notices_at_once_that_the_server_is_gone():
    async with Server().running() as url:
        engine = RemoteEngine(url, poll_seconds=60)
        task = asyncio.create_task(engine.run())
        await asyncio.wait_for(engine.wait_ready(), 5)
        assert await engine.verify()
    assert not await engine.verify()
    assert engine.deaths == 1
    task.cancel()
    await asyncio.wait([task])
