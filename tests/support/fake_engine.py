"""An OpenAI-compatible engine for tests: numbered tokens, vLLM's event shapes, faults on demand.

Every answer is `t0 t1 t2 …`; token k has the id 1000+k. A prompt has ids below 1000, one per word of the
messages. `/v1/completions` with a list of ids continues where the ids stop, as vLLM would.

    python -m tests.support.fake_engine --uds /path/engine.sock --rate 50

In a test, in the test's own event loop, in a thread, or as a process that can be killed:

    async with FakeEngine(path) as engine: engine.settings.rate = 50
    with threaded(path) as engine: …
    with process(path, rate=50) as child: child.kill()

While it runs, `settings` may be changed, over HTTP with `POST /fake {"rate": 20}`; `GET /fake` gives the counters.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

FIRST_ID = 1000
END_ID = 0  # end of text
ROOT = Path(__file__).resolve().parent.parent.parent


def numbered(count: int) -> str:
    """What an answer of so many tokens says."""
    return "".join(f"t{k} " for k in range(count))


@dataclasses.dataclass
class Settings:
    """What the engine does; a fault that counts (`fail_next`) counts down."""

    model: str = "fake"
    rate: float = 0.0  # tokens per second and stream; 0: as fast as possible
    ttft: float = 0.0  # seconds before the first token
    answer_tokens: int = 0  # an answer ends by itself ("stop") after so many; 0: at max_tokens, or 16 without it
    max_model_len: int = 100_000
    slots: int = 0  # requests that run at once; 0: all. Others wait, as in vLLM
    tokens_per_chunk: int = 1
    fail_next: int = 0  # so many requests are answered with fail_status
    fail_status: int = 500
    fail_body: str = ""
    error_after: int = -1  # an error event after so many tokens, then [DONE]
    cut_after: int = -1  # the connection is cut after so many tokens
    stall_after: int = -1  # silence after so many tokens
    die_after: int = -1  # the process kills itself after so many tokens (all streams together)
    healthy: bool = True
    scale_out: bool = True  # whether a request can be aborted by its id, as with vLLM's --enable-scale-out
    say: str = ""  # what is said, word by word, in the place of numbered tokens
    reasoning: int = 0  # so many tokens of reasoning come before the answer
    api_key: str = ""


@dataclasses.dataclass
class Counters:
    requests: int = 0
    finished: int = 0
    aborted: int = 0
    running: int = 0
    waiting: int = 0
    most_running: int = 0
    continued: int = 0  # of the requests, those that came through /v1/completions with ids of tokens
    prompt_tokens: int = 0
    generation_tokens: int = 0
    pid: int = dataclasses.field(default_factory=os.getpid)


@dataclasses.dataclass
class Plan:
    """One request, worked out: what will be said, token by token."""

    body: dict[str, Any]
    chat: bool
    prompt_ids: list[int]
    start: int  # number of the first token that is still to be said
    tokens: int  # tokens to say now
    cut: bool  # max_tokens ends the answer; otherwise an end-of-text token does, which counts as one more
    n: int = 1
    aborted: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    said: list[str] = dataclasses.field(default_factory=list)

    def text(self, k: int) -> str:
        return self.said[k] if k < len(self.said) else f"t{k} "


class RefusedError(Exception):
    def __init__(self, status: int, message: str, kind: str = "BadRequestError", param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": status}}


Scripted = tuple[str, list[bytes]]  # content type and body
Refuse = Callable[[dict[str, Any]], tuple[int, bytes] | None]
Script = Callable[[dict[str, Any]], Scripted | None]


def words(messages: list[dict[str, Any]]) -> list[int]:
    """Ids of a prompt: one per word, and three around each message, all below FIRST_ID."""
    ids = []
    for message in messages:
        content = message.get("content") or ""
        if not isinstance(content, str):
            content = " ".join(part.get("text", "") for part in content)
        ids += [1, 2, *(10 + sum(word.encode()) % (FIRST_ID - 10) for word in content.split()), 3]
    return ids


def forget(path: str) -> None:
    Path(path).unlink(missing_ok=True)


class FakeEngine:
    """The server; `async with` starts and stops it on a unix socket, or on a port where `path` is empty."""

    def __init__(self, path: str | Path = "", port: int = 0, **settings: Any) -> None:
        self.path = str(path)
        self.port = port
        self.settings = Settings(**settings)
        self.counters = Counters()
        self.bodies: list[dict[str, Any]] = []  # of every generation request, in order
        self.changed = asyncio.Event()
        self.refuse: Refuse | None = None  # the status and body of a refusal, where it gives one for a request
        self.script: Script | None = None  # what is said word for word, where it gives anything for a request
        self.plans: dict[str, Plan] = {}  # of the requests under way, by vLLM's name for them
        self.runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(client_max_size=256 * 1024 * 1024)
        app.add_routes(
            [
                web.get("/health", self.health),
                web.get("/metrics", self.metrics),
                web.get("/v1/models", self.models),
                web.post("/tokenize", self.tokenize),
                web.post("/detokenize", self.detokenize),
                web.post("/v1/chat/completions", self.generate),
                web.post("/v1/completions", self.generate),
                web.post("/inference/v1/abort_requests", self.abort),
                web.get("/fake", self.read),
                web.post("/fake", self.change),
            ]
        )
        self.runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self.runner.setup()
        site: web.BaseSite
        if self.path:
            forget(self.path)
            site = web.UnixSite(self.runner, self.path)
        else:
            site = web.TCPSite(self.runner, "127.0.0.1", self.port)
        await site.start()
        if not self.path:
            self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()
            self.runner = None
        if self.path:
            forget(self.path)

    async def __aenter__(self) -> "FakeEngine":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # What is asked about the engine

    async def health(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.settings.healthy else 503)

    async def metrics(self, _: web.Request) -> web.Response:
        c, label = self.counters, f'{{model_name="{self.settings.model}"}}'
        lines = [
            f"vllm:num_requests_running{label} {float(c.running)}",
            f"vllm:num_requests_waiting{label} {float(c.waiting)}",
            f"vllm:prompt_tokens_total{label} {float(c.prompt_tokens)}",
            f"vllm:generation_tokens_total{label} {float(c.generation_tokens)}",
        ]
        return web.Response(text="\n".join(lines) + "\n")

    async def models(self, _: web.Request) -> web.Response:
        card = {
            "id": self.settings.model,
            "object": "model",
            "created": int(time.time()),
            "owned_by": "vllm",
            "root": self.settings.model,
            "parent": None,
            "max_model_len": self.settings.max_model_len,
        }
        return web.json_response({"object": "list", "data": [card]})

    async def tokenize(self, request: web.Request) -> web.Response:
        body = await request.json()
        messages = body.get("messages") or [{"content": body.get("prompt", "")}]
        ids = words(messages)
        return web.json_response({"count": len(ids), "max_model_len": self.settings.max_model_len, "tokens": ids})

    async def detokenize(self, request: web.Request) -> web.Response:
        ids = (await request.json())["tokens"]
        return web.json_response({"prompt": "".join(f"t{i - FIRST_ID} " for i in ids if i >= FIRST_ID)})

    async def read(self, _: web.Request) -> web.Response:
        return web.json_response(dataclasses.asdict(self.counters) | {"settings": dataclasses.asdict(self.settings)})

    async def change(self, request: web.Request) -> web.Response:
        known = {field.name for field in dataclasses.fields(Settings)}
        for name, value in (await request.json()).items():
            if name not in known:
                return web.json_response({"error": f"no setting {name}"}, status=400)
            setattr(self.settings, name, value)
        return web.json_response(dataclasses.asdict(self.settings))

    async def abort(self, request: web.Request) -> web.Response:
        """End requests by their ids: each stream still tells what was made, then `abort` and the usage."""
        if not self.settings.scale_out:
            return web.json_response({"error": {"message": "Scale-out endpoints are disabled."}}, status=403)
        for id in (await request.json())["request_ids"]:
            if plan := self.plans.get(id):
                plan.aborted.set()
        self.changed.set()
        return web.Response()

    # Generation

    async def generate(self, request: web.Request) -> web.StreamResponse:
        counters, settings = self.counters, self.settings
        try:
            if settings.api_key and request.headers.get("Authorization") != f"Bearer {settings.api_key}":
                return web.json_response({"error": "Unauthorized"}, status=401)
            body = await request.json()
            if settings.fail_next > 0:
                settings.fail_next -= 1
                if settings.fail_body:
                    return web.Response(status=settings.fail_status, text=settings.fail_body)
                raise RefusedError(settings.fail_status, "told to fail", "InternalServerError")
            if self.refuse is not None and (refusal := self.refuse(body)) is not None:
                return web.Response(status=refusal[0], body=refusal[1], content_type="application/json")
            if self.script is not None and (said := self.script(body)) is not None:
                self.bodies.append(body)
                return await self.recite(request, said)
            plan = self.plan(body, chat=request.path.endswith("/chat/completions"))
        except RefusedError as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        self.bodies.append(body)
        counters.requests += 1
        counters.continued += plan.start > 0
        given = request.headers.get("X-Request-Id") or uuid.uuid4().hex
        name = f"chatcmpl-{given}" if plan.chat else f"cmpl-{given}-0"
        self.plans[name] = plan
        try:
            async with self.slot(plan):
                response = await (self.stream(request, plan) if body.get("stream") else self.whole(plan))
        except (asyncio.CancelledError, ConnectionError):
            counters.aborted += 1
            raise
        finally:
            del self.plans[name]
        counters.aborted += plan.aborted.is_set()
        counters.finished += not plan.aborted.is_set()
        return response

    async def recite(self, request: web.Request, said: Scripted) -> web.StreamResponse:
        """Say just these bytes, and close the connection."""
        kind, pieces = said
        response = web.StreamResponse(headers={"content-type": kind})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        return response

    @contextlib.asynccontextmanager
    async def slot(self, plan: Plan) -> AsyncIterator[None]:
        """vLLM's queue: a request beyond the slots waits for one."""
        counters = self.counters
        counters.waiting += 1
        try:
            while self.settings.slots and counters.running >= self.settings.slots and not plan.aborted.is_set():
                self.changed.clear()
                await self.changed.wait()
        finally:
            counters.waiting -= 1
        counters.running += 1
        counters.most_running = max(counters.most_running, counters.running)
        try:
            yield
        finally:
            counters.running -= 1
            self.changed.set()

    def plan(self, body: dict[str, Any], chat: bool) -> Plan:
        settings = self.settings
        if body.get("model") not in (None, settings.model):
            raise RefusedError(404, f"The model `{body['model']}` does not exist.", "NotFoundError", "model")
        if body.get("stream_options") and not body.get("stream"):
            raise RefusedError(400, "Stream options can only be defined when `stream=True`.", param="stream_options")
        prompt = words(body.get("messages") or []) if chat else body.get("prompt")
        if not isinstance(prompt, list) or not prompt:
            raise RefusedError(400, "The decoder prompt cannot be empty")
        start = sum(1 for token in prompt if token >= FIRST_ID)
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        if not chat and "max_tokens" not in body:
            limit = 16  # the default of /v1/completions
        room = settings.max_model_len - len(prompt)
        if (limit or 0) > settings.max_model_len:
            text = f"max_tokens={limit} cannot be greater than max_model_len={settings.max_model_len}."
            raise RefusedError(400, f"{text} Please request fewer output tokens.", param="max_tokens")
        if room < 1:
            raise RefusedError(
                400,
                f"This model's maximum context length is {settings.max_model_len} tokens. However, your prompt "
                f"contains {len(prompt)} input tokens, which exceeds this limit even without any output tokens. "
                "Please reduce the length of the input prompt.",
                param="input_tokens",
            )
        limit = min(limit, room) if limit else None  # as vLLM does
        asked, limit = limit, limit or room
        said = re.findall(r"\S+\s*", settings.say)
        natural = settings.answer_tokens or len(said) or (limit + start if asked else 16)
        left = max(0, natural - start)
        plan = Plan(body, chat, prompt, start, min(limit, left), limit <= left, n=body.get("n") or 1, said=said)
        for stop in [body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop") or []:
            text = "".join(plan.text(start + k) for k in range(plan.tokens))
            if stop in text:
                plan.tokens, plan.cut = len(text[: text.index(stop)].split()), False
        return plan

    def pieces(self, plan: Plan) -> Iterator[tuple[dict[str, Any], list[int]]]:
        """Delta and ids of each step: reasoning first where it is on, then a tool call or text."""
        body, step = plan.body, max(1, self.settings.tokens_per_chunk)
        tools, choice = body.get("tools"), body.get("tool_choice", "auto")
        if plan.chat and tools and choice != "none":
            name = choice["function"]["name"] if isinstance(choice, dict) else tools[0]["function"]["name"]
            head = {"id": f"call_{uuid.uuid4().hex[:16]}", "type": "function", "index": 0}
            yield {"tool_calls": [head | {"function": {"name": name, "arguments": ""}}]}, [FIRST_ID]
            for k, text in enumerate(['{"city"', ': "Bil', 'bao"}'], 1):
                yield {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}, [FIRST_ID + k]
            return
        if plan.chat:
            for k in range(self.settings.reasoning):
                yield {"reasoning": f"r{k} "}, [900 + k]
        for k in range(plan.start, plan.start + plan.tokens, step):
            ids = range(k, min(k + step, plan.start + plan.tokens))
            yield {"content": "".join(plan.text(i) for i in ids)}, [FIRST_ID + i for i in ids]
        if not plan.cut:
            yield {"content": ""}, [END_ID]

    async def paced(self, plan: Plan) -> AsyncIterator[tuple[dict[str, Any], list[int], bool]]:
        """The pieces at the set pace, with the faults; the last value says whether it is the last piece."""
        settings, counters = self.settings, self.counters
        if settings.ttft:
            await self.pause(plan, settings.ttft)
        steps = list(self.pieces(plan))
        due, said = time.monotonic(), 0
        for number, (delta, ids) in enumerate(steps):
            if settings.stall_after >= 0 and said >= settings.stall_after:
                await plan.aborted.wait()
            if settings.cut_after >= 0 and said >= settings.cut_after:
                raise ConnectionResetError("told to cut the connection")
            if settings.error_after >= 0 and said >= settings.error_after:
                raise RefusedError(500, "Internal server error at /usr/lib/engine.py", "InternalServerError")
            if settings.rate and number:
                due += len(ids) / settings.rate
                await self.pause(plan, due - time.monotonic())
            elif number % 16 == 15:
                await asyncio.sleep(0)
            if plan.aborted.is_set():
                return
            said += len(ids)
            counters.prompt_tokens += len(plan.prompt_ids) if number == 0 else 0  # with the first token, as vLLM
            counters.generation_tokens += len(ids) * plan.n
            yield delta, ids, number == len(steps) - 1
            if 0 <= settings.die_after <= counters.generation_tokens:
                os.kill(os.getpid(), signal.SIGKILL)

    @staticmethod
    async def pause(plan: Plan, seconds: float) -> None:
        """Sleep, unless the request is aborted."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await plan.aborted.wait()

    def usage(self, plan: Plan, said: int) -> dict[str, Any]:
        prompt, made = len(plan.prompt_ids), said * plan.n
        counts: dict[str, Any] = {"prompt_tokens": prompt, "total_tokens": prompt + made, "completion_tokens": made}
        if thought := min(self.settings.reasoning * plan.n, made):
            counts["completion_tokens_details"] = {"reasoning_tokens": thought}
        return counts

    def head(self, plan: Plan, stream: bool) -> dict[str, Any]:
        kind = ("chat.completion" + ".chunk" * stream) if plan.chat else "text_completion"
        return {
            "id": f"{'chatcmpl' if plan.chat else 'cmpl'}-{uuid.uuid4().hex}",
            "object": kind,
            "created": int(time.time()),
            "model": self.settings.model,
        }

    @staticmethod
    def logprobs(plan: Plan, delta: dict[str, Any], ids: list[int]) -> dict[str, Any] | None:
        if not plan.body.get("logprobs") or "content" not in delta:
            return None
        top = plan.body.get("top_logprobs") or 0

        def entry(token: str) -> dict[str, Any]:
            return {"token": token, "logprob": -0.5, "bytes": list(token.encode())}

        tokens = [plan.text(i - FIRST_ID) if i >= FIRST_ID else "<end>" for i in ids]
        return {"content": [entry(t) | {"top_logprobs": [entry(t) for _ in range(top)]} for t in tokens]}

    def choice(self, plan: Plan, index: int, delta: dict[str, Any], ids: list[int], last: bool) -> dict[str, Any]:
        finish = None
        if last:
            finish = "tool_calls" if "tool_calls" in delta else "length" if plan.cut else "stop"
        result: dict[str, Any] = {"index": index}
        result |= {"delta": delta} if plan.chat else {"text": delta["content"]}
        result |= {"logprobs": self.logprobs(plan, delta, ids), "finish_reason": finish}
        if last:
            result["stop_reason"] = None
        return result | {"token_ids": ids if plan.body.get("return_token_ids") else None}

    async def stream(self, request: web.Request, plan: Plan) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        head, said, first = self.head(plan, stream=True), 0, True

        async def send(**fields: Any) -> None:
            await response.write(b"data: " + json.dumps(head | fields, separators=(",", ":")).encode() + b"\n\n")

        shown_ids = plan.prompt_ids if plan.body.get("return_token_ids") else None
        try:
            async for delta, ids, last in self.paced(plan):
                if first and plan.chat:
                    for index in range(plan.n):
                        opening = {"role": "assistant", "content": ""}
                        choice = {"index": index, "delta": opening, "logprobs": None, "finish_reason": None}
                        await send(choices=[choice], prompt_token_ids=shown_ids, prompt_text=None)
                for index in range(plan.n):
                    choice = self.choice(plan, index, delta, ids, last)
                    if first and not plan.chat and shown_ids is not None:
                        choice["prompt_token_ids"] = shown_ids
                    await send(choices=[choice])
                said, first = said + len(ids), False
        except RefusedError as refusal:
            await response.write(b"data: " + json.dumps(refusal.body).encode() + b"\n\n")
        except ConnectionResetError:
            if request.transport is not None:
                request.transport.abort()
            raise
        else:
            if plan.aborted.is_set():
                for index in range(plan.n):
                    choice = self.choice(plan, index, {"content": ""}, [], False) | {"finish_reason": "abort"}
                    await send(choices=[choice], **({"prompt_token_ids": shown_ids} if first and plan.chat else {}))
            if (plan.body.get("stream_options") or {}).get("include_usage"):
                await send(choices=[], usage=self.usage(plan, said))
        await response.write(b"data: [DONE]\n\n")
        return response

    async def whole(self, plan: Plan) -> web.Response:
        content, reasoning, calls, all_ids, logprobs = "", "", [], [], []
        choice: dict[str, Any] = {}
        try:
            async for delta, ids, last in self.paced(plan):
                content += delta.get("content", "")
                reasoning += delta.get("reasoning", "")
                for call in delta.get("tool_calls", []):
                    if "id" in call:
                        calls.append({"id": call["id"], "type": "function", "function": dict(call["function"])})
                    else:
                        calls[-1]["function"]["arguments"] += call["function"]["arguments"]
                all_ids += ids
                choice = self.choice(plan, 0, delta, ids, last)
                logprobs += (choice["logprobs"] or {"content": []})["content"]
        except RefusedError as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        choices = []
        for index in range(plan.n):
            one: dict[str, Any] = {"index": index, "finish_reason": choice["finish_reason"], "stop_reason": None}
            one["logprobs"] = {"content": logprobs} if logprobs else None
            if plan.chat:
                message: dict[str, Any] = {"role": "assistant", "content": content or None, "refusal": None}
                message |= {"reasoning": reasoning or None} | ({"tool_calls": calls} if calls else {})
                one["message"] = message
            else:
                one["text"] = content
            one["token_ids"] = all_ids if plan.body.get("return_token_ids") else None
            choices.append(one)
        return web.json_response(
            self.head(plan, stream=False) | {"choices": choices, "usage": self.usage(plan, len(all_ids))}
        )


@contextlib.contextmanager
def threaded(path: str | Path = "", port: int = 0, **settings: Any) -> Iterator[FakeEngine]:
    """The engine in a thread of its own; settings and counters can be read and set from the test."""
    loop = asyncio.new_event_loop()
    engine = FakeEngine(path, port, **settings)
    thread = threading.Thread(target=loop.run_forever, name="fake-engine", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(engine.start(), loop).result(10)
        try:
            yield engine
        finally:
            asyncio.run_coroutine_threadsafe(engine.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def spawn(path: str | Path, **settings: Any) -> subprocess.Popen[bytes]:
    """The engine as a process, when it listens."""
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.support.fake_engine", "--uds", str(path), *arguments], cwd=ROOT
    )
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and child.poll() is None:
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.connect(str(path))
            return child
        time.sleep(0.02)
    child.kill()
    raise RuntimeError(f"The fake engine did not start (exit status {child.wait()}).")


@contextlib.contextmanager
def process(path: str | Path, **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    child = spawn(path, **settings)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


async def serve(engine: FakeEngine) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with engine:
        print(f"fake engine on {engine.path or engine.port}, pid {os.getpid()}", flush=True)
        await stopped.wait()


def options_of(arguments: list[str]) -> tuple[str, int, dict[str, Any]]:
    """Socket, port and settings out of a command line: this program's own, or vLLM's, of which it knows a few."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--uds", default="", help="unix socket to listen on")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--served-model-name", default="")
    for field in dataclasses.fields(Settings):
        kind = type(field.default)
        parse: Any = (lambda text: text.lower() in ("1", "true", "yes")) if kind is bool else kind
        if field.name == "max_model_len":
            parse = lambda text: Settings.max_model_len if text == "auto" else int(text)  # noqa: E731
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=parse, default=field.default)
    options = vars(parser.parse_known_args(arguments)[0])
    options["model"] = options.pop("served_model_name") or options["model"]
    return options.pop("uds"), options.pop("port"), options


def main() -> None:
    path, port, settings = options_of(sys.argv[1:])
    asyncio.run(serve(FakeEngine(path, port, **settings)))


if __name__ == "__main__":
    main()
