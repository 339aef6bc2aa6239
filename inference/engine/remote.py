"""An OpenAI-compatible server that is there already: vLLM elsewhere, Ollama, llama.cpp. Only watched, never ended."""

import asyncio
import contextlib
import time

import aiohttp
import structlog

from inference.engine import probes
from inference.engine.connection import READ_BUFFER_BYTES, open_session
from inference.engine.metrics import Counters
from inference.openai.engine_values import UnreadableEvent, read_models
from inference.worker_state import EngineState, Gpu, Phase

log = structlog.get_logger(__name__)

DEFAULT_SLOTS = 64  # where the operator does not say: the server itself queues what is too much for it
MAX_SILENT_POLLS = 3
PROBE_TIMEOUT = aiohttp.ClientTimeout(total=10)


class RemoteEngine:
    """See `inference.engine.base.Engine` for the contract. `model`: the one to use, or the first that it names."""

    def __init__(
        self,
        url: str,
        api_key: str = "",
        *,
        model: str = "",
        slots: int = 0,
        poll_seconds: float = 2.0,
        max_pause_seconds: float = 30.0,
        read_buffer: int = READ_BUFFER_BYTES,
    ) -> None:
        self.base_url = url.rstrip("/").removesuffix("/v1")
        self.state = EngineState(detail=f"Asking {self.base_url}.", slots=slots or DEFAULT_SLOTS, goes_on=False)
        self.deaths = 0
        self.unknown_fields: set[str] = set()
        self._api_key = api_key
        self._model = model
        self._poll_seconds = poll_seconds
        self._silent = 0
        self._max_pause_seconds = max_pause_seconds
        self._read_buffer = read_buffer
        self._ready = asyncio.Event()
        self._now = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None

    def session(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = open_session(api_key=self._api_key, read_buffer=self._read_buffer)
        return self._session

    async def wait_ready(self) -> None:
        await self._ready.wait()

    async def run(self) -> None:
        pause = 0.5
        try:
            while True:
                well = await self.verify()
                pause = 0.5 if well else min(pause * 2, self._max_pause_seconds)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_seconds if well else pause):
                        await self._now.wait()
                self._now.clear()
        finally:
            self._ready.clear()
            if self._session is not None:
                await self._session.close()

    async def verify(self) -> bool:
        """Ask the server for its models; whether it answers with the one wanted."""
        try:
            fault, self._silent = await self._check_server(), 0
        except TimeoutError:  # busy perhaps: only lasting silence counts
            self._silent += 1
            fault = f"{self.base_url} does not answer; look at that server." if self._silent >= MAX_SILENT_POLLS else ""
            if not fault and not self._ready.is_set():
                return False
        if fault:
            if self._ready.is_set():
                self.deaths += 1
                log.error("engine.away", url=self.base_url, reason=fault)
            self._ready.clear()
            self._set_phase("failed", fault)
        elif not self._ready.is_set():
            self.unknown_fields.clear()  # it may be another server now
            self._ready.set()
            self._set_phase("ready", "Ready.")
            log.info("engine.ready", url=self.base_url, model=self.state.model)
        return not fault

    async def check_stall(self) -> None:
        """A server elsewhere is not Jarvis's to end."""
        log.warning("engine.silent", url=self.base_url)

    async def stop(self) -> None:
        self._ready.clear()
        self._set_phase("stopped", "Stopped.")
        if self._session is not None:
            await self._session.close()

    async def fetch_counters(self) -> Counters:
        """What the server has counted, where it is vLLM; zeros elsewhere."""
        return await probes.fetch_counters(self.session(), self.base_url)

    async def count_running(self) -> int:
        return (await self.fetch_counters()).running

    def list_gpus(self) -> list[Gpu]:
        return []

    async def _check_server(self) -> str:
        """What is wrong with the server; empty when it is well."""
        try:
            async with self.session().get(f"{self.base_url}/v1/models", timeout=PROBE_TIMEOUT) as response:
                if response.status in (401, 403):
                    return f"{self.base_url} refuses the key; correct JARVIS_ENGINE_API_KEY."
                if response.status != 200:
                    return f"{self.base_url}/v1/models answers {response.status}; look at JARVIS_ENGINE_URL."
                models = read_models(await response.read())
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError) as error:
            reason = str(error) or type(error).__name__
            return f"{self.base_url} cannot be reached ({reason}); start that server, or correct JARVIS_ENGINE_URL."
        except UnreadableEvent:
            return f"{self.base_url}/v1/models does not answer as the OpenAI API does; correct JARVIS_ENGINE_URL."
        if not models:
            return f"{self.base_url} serves no model yet; load one there."
        chosen = next((model for model in models if not self._model or model.id == self._model), None)
        if chosen is None:
            return f"{self.base_url} does not serve {self._model}, but {', '.join(model.id for model in models[:10])}."
        self.state.model, self.state.max_model_len = chosen.id, chosen.window
        self.state.goes_on = chosen.owner == "vllm"  # which refuses, where it is too old to go on
        return ""

    def _set_phase(self, phase: Phase, detail: str) -> None:
        if self.state.phase != phase:
            self.state.phase, self.state.since = phase, time.time()
        self.state.detail = detail
