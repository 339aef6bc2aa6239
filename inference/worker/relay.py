"""One generation: from the claimed row to an outcome, whatever happens to the engine on the way."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any

import aiohttp
import msgspec
import structlog
from django.db import Error as DatabaseError
from django.utils import timezone

from inference.engine.base import Engine
from inference.log.events import Begin, Choices, Cursor, Fence, Finish, Prompt, Usage
from inference.models import MAX_ENGINE_DEATHS, MAX_LOST_WORKERS, Generation
from inference.openai.engine_events import EngineChunk, EventReader
from inference.openai.engine_values import Counts, read_count
from inference.openai.request import ChatRequest
from inference.queue.outcome import Outcome
from inference.redis.client import UNAVAILABLE_ERRORS
from inference.redis.log import publish_events, read_log
from inference.worker.context_window import Message, estimate_prompt_tokens, fit_messages
from inference.worker.engine_call import (
    CANNOT_CONTINUE,
    NO_CHOICES,
    EngineAway,
    EngineLost,
    RequestRefused,
    post,
    raise_refusal,
    read_json,
    request_abort,
    request_answer,
)
from inference.worker.failures import WorkerEnded, explain_failure
from inference.worker.partial_answer import EventBuffer, PartialAnswer
from inference.worker.publisher import Publisher
from inference.worker.quarantine import Quarantine
from inference.worker.usage import count_usage
from jarvis.lib.config import config
from jarvis.lib.database import in_database, log_failure

log = structlog.get_logger(__name__)

MAX_FENCE_SECONDS = 5.0  # how long a taken-over row waits for Redis, to read what its log holds
UNKNOWN_ANSWER_TOKENS = 131_072  # tokens; of an answer without a limit, where the window is not known
UNKNOWN_WINDOW_TOKENS = 1_000_000  # tokens; for a server that does not tell its window
CONVERSATION_SOURCES = ("chat", "api")  # doors whose prompt is a conversation, which may be cut to the window
LAST_TOKENS = 4  # tokens before the limit
MAX_PIECES_PER_TOKEN = 8  # of the limit; an engine that goes on beyond does not know of the limit
SPARE_PIECES = 1024  # for small limits
MAX_ABORT_SECONDS = 2.0  # how long a stopped call has to tell what it has made
ABORT_RETRY_SECONDS = 0.1  # seconds: an engine that did not know the call yet is told again
ABORTED = "abort"  # vLLM's finish reason of a call that was ended by its id
MAX_TOKENS_PER_CHARACTER = 4  # tokens that one character may be made of, in a byte-level vocabulary


class Relay:
    """`run` gives the outcome; `stop` makes it give what there is. Cancelling `run` gives and stores nothing."""

    def __init__(self, row: Generation, engine: Engine, publisher: Publisher, quarantine: Quarantine) -> None:
        self.row = row
        self.engine = engine
        self.publisher = publisher
        self.quarantine = quarantine
        self.buffer = EventBuffer(row.attempt)
        self.answer = PartialAnswer()
        self.losses = row.engine_deaths
        self.tokens_at_loss = 0  # tokens at the last loss of the engine
        self.is_suspect = False  # nothing has come since then
        self.read_task: asyncio.Task[None] | None = None
        self.call_name = ""  # the engine's name for the call under way
        self.call_count = 0
        self.last_read_at = 0.0  # when the call under way was made, or last gave something; of `time.monotonic`
        self.abort_task: asyncio.Task[None] | None = None
        self.aborted_usage: Usage | None = None  # what the engine counted of a call that was stopped
        self.stopped = row.stop_asked_at is not None
        self.doubted = row.lost_workers >= MAX_LOST_WORKERS  # until it has shown that it does not end workers
        self.fault: Exception | None = None  # found by another part of the worker

    @cached_property
    def request(self) -> ChatRequest:
        return ChatRequest.from_row(self.row.request or {})

    @property
    def can_continue(self) -> bool:
        return self.request.can_continue

    @property
    def most_tokens(self) -> int | None:
        """The limit of the answer, where the caller or the site has set one; otherwise the model's window is."""
        return self.request.max_tokens or config.max_answer_tokens or None

    @property
    def most_pieces(self) -> int:
        """Pieces of text, or tokens, that no engine needs which knows how long the answer may be."""
        limit = self.most_tokens or self.engine.state.max_model_len or UNKNOWN_ANSWER_TOKENS
        return int(self.request.fields.get("n", 1)) * limit * MAX_PIECES_PER_TOKEN + SPARE_PIECES

    def stop(self) -> None:
        self.stopped = True
        if self.read_task is None or self.abort_task is not None:
            return
        if self.call_name:
            self.abort_task = asyncio.create_task(self.abort_call(self.read_task))
        else:
            self.read_task.cancel()

    def fail(self, fault: Exception) -> None:
        """End with an error that something else has found in this row."""
        self.fault = fault
        if self.read_task is not None:
            self.read_task.cancel()

    async def abort_call(self, read_task: "asyncio.Task[None]") -> None:
        """Have the engine end the call under way, and tell what it has made until then and how much that was.

        Closing the connection would end it too, but then nobody would know of the tokens that the engine had made,
        and counted, and that were still on their way. An engine that cannot do this has its connection closed.
        """
        try:
            async with asyncio.timeout(MAX_ABORT_SECONDS):
                while self.call_name and await request_abort(self.engine, self.call_name):
                    if (await asyncio.wait([read_task], timeout=ABORT_RETRY_SECONDS))[0]:
                        return
        except (aiohttp.ClientError, OSError):  # TimeoutError is one of these
            log.warning("abort.failed", generation=str(self.row.id))
        read_task.cancel()

    async def run(self) -> Outcome:
        self.publisher.open_buffer(self.row.id, self.buffer)
        try:
            if self.row.on_probation:  # still: it was alone with the worker that took it before
                raise WorkerEnded
            await self.open_log()
            if not self.stopped and self.fault is None:
                self.read_task = asyncio.create_task(self.generate_answer())
                await asyncio.wait([self.read_task])
            fault: BaseException | None = self.fault
            if fault is None and self.read_task is not None and not self.read_task.cancelled():
                fault = self.read_task.exception()
            return self.make_failed_outcome(fault) if fault else self.make_outcome()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one row must not reach the others
            return self.make_failed_outcome(error)
        finally:
            for task in (self.read_task, self.abort_task):
                if task is not None:
                    task.cancel()

    async def open_log(self) -> None:
        """Open the log. What a former attempt has told is learnt first, also for a row that is to be stopped."""
        if self.row.attempt > 1:
            await self.take_over_log()
        else:
            self.buffer.add_event(Begin())

    async def take_over_log(self) -> None:
        """Close the log to the former worker, then learn from it how far the answer came."""
        self.buffer.add_event(Fence())
        fence = Cursor(self.row.attempt, 0)
        try:
            async with asyncio.timeout(MAX_FENCE_SECONDS):
                while True:
                    try:
                        await publish_events({self.row.id: [(fence, Fence())]})
                        entries = await read_log(self.row.id, before=fence)
                        break
                    except UNAVAILABLE_ERRORS:
                        await asyncio.sleep(0.2)
        except TimeoutError:
            entries = []
        answer, last = PartialAnswer.restore(entries)
        if (
            answer.finish is not None
            or (not answer.is_empty and self.stopped)
            or (self.can_continue and answer.can_continue)
        ):
            self.answer = answer
            self.buffer.prepend_events(entries)
            self.buffer.add_event(Begin(after=last))
        else:
            self.buffer.add_event(Begin(clear=True))
        self.publisher.mark_changed(self.row.id)
        log.info(
            "generation.taken_over", generation=str(self.row.id), attempt=self.row.attempt, tokens=self.answer.tokens
        )

    async def generate_answer(self) -> None:
        """Read from the engine until it has finished or a stop was asked for, going on after each loss of it."""
        while self.answer.finish is None and not self.stopped:
            await self.engine.wait_ready()
            deaths = self.engine.deaths
            try:
                async with self.pass_quarantine():
                    await self.call_engine()
            except EngineAway as error:
                log.info("engine.away", generation=str(self.row.id), error=str(error))
                await asyncio.sleep(random.uniform(0.1, 0.3))
                await self.engine.verify()
            except EngineLost as error:
                log.warning("engine.lost", generation=str(self.row.id), error=str(error), tokens=self.answer.tokens)
                if self.abort_task is not None:
                    return
                await self.count_loss()
                if self.is_suspect or self.losses >= MAX_ENGINE_DEATHS:
                    raise
                if self.engine.deaths == deaths:  # it may be going down, or only have dropped this one
                    await asyncio.sleep(random.uniform(0.1, 0.3))
                    await self.engine.verify()
                if not (self.can_continue and self.answer.can_continue):
                    self.restart_answer()
                self.is_suspect, self.tokens_at_loss = True, self.answer.count

    @asynccontextmanager
    async def pass_quarantine(self) -> AsyncGenerator[None, None]:
        """The way to the engine: alone for one that may end the engine, or the worker, and has shown nothing since."""
        async with self.quarantine.enter(alone=self.is_suspect or self.doubted) as self.passage:
            if self.doubted:
                self.tokens_at_loss = self.answer.count
                await self.update_row(on_probation=True)
            try:
                yield
            except Exception:
                if self.doubted:
                    await self.update_row(on_probation=False)
                raise

    async def clear_suspicion(self) -> None:
        """Let others follow: something new has come, and everybody still lives."""
        if self.doubted:
            await self.update_row(on_probation=False)
        self.is_suspect = self.doubted = False
        self.passage.let_next_in()

    def restart_answer(self) -> None:
        if not self.answer.is_empty:
            self.buffer.add_event(Begin(clear=True))
        self.answer.clear()
        self.tokens_at_loss = 0

    async def count_loss(self) -> None:
        self.losses += 1
        await self.update_row(engine_deaths=self.losses)

    async def update_row(self, **values: Any) -> None:
        """Note something in the row, if this attempt still holds it. Goes on without it where Postgres is away."""
        mine = Generation.objects.filter(id=self.row.id, attempt=self.row.attempt)
        try:
            await in_database(mine.update, **values)
        except DatabaseError as error:
            log_failure(log, error)

    async def call_engine(self) -> None:
        """One call of the engine, to its end."""
        going_on = await self.align_tokens()
        model, window = (
            self.engine.state.model or self.row.model,
            self.engine.state.max_model_len or UNKNOWN_WINDOW_TOKENS,
        )
        if going_on:
            prompt, ids = self.answer.prompt_ids or [], self.answer.ids
            room = window - len(prompt)
            left = min(self.most_tokens or room, room) - len(ids)
            if left < 1:
                return self.record_finish("length", None, going_on)
            path = "/v1/completions"
            body = self.request.continuation_body(prompt, ids, model) | {"max_tokens": left}
        else:
            if self.request.is_continuation and not self.engine.state.goes_on:
                # It would begin anew, in the middle of a text.
                raise RequestRefused(CANNOT_CONTINUE)
            if "structured_outputs" in self.request.fields and not self.engine.state.goes_on:
                raise RequestRefused(NO_CHOICES)  # other servers than vLLM would pass over it without a word
            path, body = "/v1/chat/completions", self.request.engine_body(model, self.most_tokens)
            if self.row.door in CONVERSATION_SOURCES:
                body["messages"] = await fit_messages(
                    body["messages"], window, self.request.max_tokens, self.count_tokens
                )
            if (body.get("max_tokens") or 0) > window:  # vLLM refuses that, but cuts a smaller one to what fits
                body["max_tokens"] = window
        body["return_token_ids"] = True  # also where no continuation is possible: they count what was made
        self.call_count += 1
        id = f"{self.row.id}-{self.row.attempt}-{self.call_count}"
        self.last_read_at = time.monotonic()
        self.call_name = f"cmpl-{id}-0" if going_on else f"chatcmpl-{id}"  # as vLLM names them
        try:
            response = await request_answer(self.engine, path, body, id, self.request.fields)
            try:
                await self.read_stream(response, going_on)
            except (aiohttp.ClientError, OSError) as error:
                raise EngineLost(f"{type(error).__name__}: {error}") from error
            finally:
                response.close()  # not release: an unfinished call is aborted by its closed connection
        finally:
            self.call_name = ""

    async def align_tokens(self) -> bool:
        """Whether to go on from the tokens so far, cut back to where they say just what was told.

        The last ids may hold half a character, whose text has not come. Where no cut fits, the answer starts again.
        """
        answer = self.answer
        answer.ids_without_text = []
        if not (answer.prompt_ids and answer.ids):
            return False
        text = answer.text
        for cut in range(min(MAX_TOKENS_PER_CHARACTER, len(answer.ids))):
            ids = answer.ids[: len(answer.ids) - cut]
            response = await post(self.engine, "/detokenize", msgspec.json.encode({"tokens": ids}))
            said = await read_json(response)
            if isinstance(said, dict) and said.get("prompt") == text:
                answer.ids, answer.tokens, answer.count = ids, len(ids), len(ids)
                return True
        self.restart_answer()
        return False

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """The tokens of a prompt, as the engine's own template and tokenizer make it; an estimate where it has none."""
        try:
            body = {"messages": messages, "add_generation_prompt": True}
            response = await post(self.engine, "/tokenize", msgspec.json.encode(body))
            said = await read_json(response)
        except (EngineLost, RequestRefused):
            return estimate_prompt_tokens(messages)
        count = read_count(said.get("count")) if isinstance(said, dict) else None
        return estimate_prompt_tokens(messages) if count is None else count

    async def read_stream(self, response: aiohttp.ClientResponse, is_continuation: bool) -> None:
        """Take the engine's answer in to its end. Raises EngineLost where it breaks off, and UnreadableEvent."""
        fields = self.request.fields
        streamed = response.content_type != "application/json"
        events = EventReader(fields.get("n", 1), logprobs=bool(fields.get("logprobs")), streamed=streamed)
        # From here on somebody waits for the end, so the last tokens are read as they come.
        nearly_all = (self.request.max_tokens or UNKNOWN_WINDOW_TOKENS) - LAST_TOKENS
        begun = not self.answer.is_empty
        counts, reason = None, None
        while not events.ended:
            data = await response.content.readany()
            self.last_read_at = time.monotonic()
            for chunk in events.feed(data) if data else events.close():
                if chunk.error:
                    window = self.engine.state.max_model_len
                    raise_refusal(200, {"error": chunk.error}, fields, window)
                counts = chunk.counts or counts
                reason = self.add_chunk(chunk) or reason
            self.publisher.mark_changed(self.row.id, urgent=not begun and not self.answer.is_empty)
            begun = not self.answer.is_empty
            if (self.is_suspect or self.doubted) and self.answer.count > self.tokens_at_loss:
                await self.clear_suspicion()
            if not data:
                break
            if self.answer.count > self.most_pieces:
                log.warning("engine.endless", generation=str(self.row.id), pieces=self.answer.count)
                reason, counts = "length", None
                break
            if self.answer.count < nearly_all:
                await self.publisher.wait_flush()
        if reason is None and events.ended and not self.engine.state.goes_on and not self.answer.is_empty:
            reason = "stop"  # vLLM always gives one; some other servers only say that they are done
        if reason is None:
            raise EngineLost("the stream ended without a finish reason" if events.ended else "the stream broke off")
        if reason == ABORTED:
            self.record_abort(counts, is_continuation)
        else:
            events.check_whole()
            self.record_finish(reason, counts, is_continuation)

    def add_chunk(self, chunk: EngineChunk) -> str | None:
        """Add a chunk to the answer and the buffer; its finish reason, if it has one."""
        answer = self.answer
        if answer.prompt_ids is None and (prompt := chunk.prompt_ids()):
            answer.prompt_ids = prompt
            self.buffer.add_event(Prompt(prompt))
        if not chunk.choices:
            return None
        text = chunk.plain_text() if answer.accumulator is None else None
        choice = chunk.choices[0]
        ids, reason = choice.token_ids, choice.finish_reason
        if ids is not None:
            made = len(ids)
        else:  # an engine that gives no ids: a piece counts as a token
            made = int(answer.prompt_ids is None and text != "")
        answer.count += made
        if reason == ABORTED:
            choice.finish_reason = None  # nothing that clients know of
        if answer.first_token_at is None and text != "":
            answer.first_token_at = timezone.now()
        if text is None:
            choices = chunk.public_choices()
            answer.add_choices(choices)
            self.buffer.add_event(Choices(choices, made))
        elif text:
            held, answer.ids_without_text = answer.ids_without_text, []
            new = [*held, *(ids or ())]
            count = 1 if ids is None else len(new)
            answer.add_text(text, count, new)
            self.buffer.add_text(text, count, new)
        elif ids:
            answer.ids_without_text.extend(ids)
        return reason

    def record_finish(self, reason: str, counts: Counts | None, is_continuation: bool) -> None:
        self.answer.finish = Finish(reason, self.count_usage(counts, is_continuation))
        self.buffer.add_event(self.answer.finish)
        self.publisher.mark_changed(self.row.id)

    def record_abort(self, counts: Counts | None, is_continuation: bool) -> None:
        """The engine has ended the call, and all that it made of it has come."""
        if not self.stopped:
            raise EngineLost("the engine gave the answer up")
        self.aborted_usage = self.count_usage(counts, is_continuation)

    def count_usage(self, counts: Counts | None, is_continuation: bool) -> Usage:
        return count_usage(self.answer, self.request, counts, is_continuation, self.most_pieces)

    def make_outcome(self) -> Outcome:
        answer, finish = self.answer, self.answer.finish
        status = Generation.Status.DONE if finish else Generation.Status.STOPPED
        return Outcome(
            self.row.id,
            self.row.attempt,
            status.value,
            text=answer.text,
            choices=answer.choices(),
            finish_reason=finish.reason if finish else "stop",
            usage=finish.usage if finish else self.aborted_usage or answer.count_usage(),
            first_token_at=answer.first_token_at,
            finished_at=timezone.now(),
        )

    def make_failed_outcome(self, error: BaseException) -> Outcome:
        problem = explain_failure(self.row, error)
        try:
            outcome = self.make_outcome()
        except Exception as another:
            log.error("answer.unusable", generation=str(self.row.id), exc_info=another)
            outcome = Outcome(self.row.id, self.row.attempt, "", finished_at=timezone.now())
        outcome.status, outcome.finish_reason, outcome.problem = Generation.Status.FAILED.value, "error", problem
        return outcome
