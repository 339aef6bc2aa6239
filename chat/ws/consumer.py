"""The socket of the chat page, and of programs with a key. Its frames are described in docs/websocket.md."""

import asyncio
import contextlib
from typing import Any
from uuid import UUID

import msgspec
import structlog
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DataError
from django.db import Error as DatabaseError

from accounts.authentication import Caller, Unauthenticated
from accounts.models import Scope
from chat import frames
from chat.notify import announce_frame
from chat.turns.settings import answer_details, configure_conversation, show_version
from chat.turns.submission import Origin, Submission
from chat.turns.submit import ask_question, continue_answer, edit_question, regenerate_answer
from chat.ws.connections import CLOSE_UNAUTHENTICATED, Connections, Window
from chat.ws.engine_state import UNTOLD, make_state
from chat.ws.frame_errors import UNREADABLE, explain_unreadable, find_reply_to
from chat.ws.handshake import ForeignOrigin, MayNotChat, admit_handshake, decode_headers
from chat.ws.live_html import stream_html_frames
from chat.ws.replay import find_answer, follow_with_prefix, frames_for_events
from inference.log.events import START, Cursor
from inference.models import Generation
from inference.queue.submit import QueueFull, Unavailable, stop_generation
from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError
from jarvis.lib.config import MAX_SYSTEM_PROMPT_CHARS, config
from jarvis.lib.database import in_database, log_failure
from jarvis.lib.http import UNSTORABLE
from jarvis.lib.request_id import choose_request_id

log = structlog.get_logger(__name__)

# Characters; JSON may write one character with six.
MAX_FRAME_CHARS = 4096 + 6 * (config.max_message_chars + MAX_SYSTEM_PROMPT_CHARS)
# What reads or changes conversations by ids that could be guessed.
HISTORY_FRAMES = (frames.Edit, frames.Regenerate, frames.Continue, frames.Show, frames.Configure, frames.Details)
MAX_FOLLOWED_ANSWERS = 32  # at a time on one socket

NOT_FOUND_ERROR = frames.Error("not_found", "There is no such generation, or it is not yours.")
UNAVAILABLE_ERROR = frames.Error("unavailable", "The database cannot be reached. Try again in a moment.")
INTERNAL_ERROR = frames.Error(
    "internal_error", "Jarvis failed on this. Try again; if it fails again, tell an administrator."
)
FRAME_TOO_LARGE_ERROR = frames.Error("frame_too_large", f"A frame may have {MAX_FRAME_CHARS} characters. Send less.")
TOO_MANY_FOLLOWED_ERROR = frames.Error(
    "too_many_followed", f"{MAX_FOLLOWED_ANSWERS} answers can be followed at a time. Unfollow one first."
)


class ChatConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One socket. A task sends the notices of its window, and another one each answer that it follows."""

    channel_layer_alias = "none"  # `chat.ws.connections` listens for all sockets of the process at once

    async def connect(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self.tails: dict[UUID, asyncio.Task[None]] = {}
        self.window: Window | None = None
        try:
            opened_by = await admit_handshake(self.scope)
        except (ForeignOrigin, MayNotChat):
            await self.close()  # before it is accepted: the handshake is answered with 403
            return
        except Unauthenticated as error:
            await self.refuse_handshake(str(error))
            return
        except DatabaseError as error:
            log_failure(log, error)
            await self.accept()
            await self.close(1013)
            return
        await self.accept()
        self.opened_by = opened_by
        self.window = Window(opened_by)
        Connections.for_this_loop().add_window(self.window)
        self.start_task(self.stream_notices(self.window))

    async def refuse_handshake(self, reason: str) -> None:
        """401 for a program; a browser hides the status of a handshake from its page, so a close code says it."""
        if "origin" in decode_headers(self.scope):
            await self.accept()
            await self.close(CLOSE_UNAUTHENTICATED, reason)
        elif "websocket.http.response" in self.scope.get("extensions", {}):
            head = [(b"content-type", b"text/plain; charset=utf-8")]
            await self.base_send({"type": "websocket.http.response.start", "status": 401, "headers": head})
            await self.base_send({"type": "websocket.http.response.body", "body": reason.encode()})
            raise StopConsumer
        else:
            await self.close()

    async def disconnect(self, code: int) -> None:
        if self.window is not None:
            Connections.for_this_loop().remove_window(self.window)
        for task in self.tasks:
            task.cancel()

    def start_task(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def send_frame(self, frame: frames.FromServer) -> None:
        await self.send_text(frames.encode_frame(frame))

    async def send_text(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the client has left; `disconnect` comes and cancels all tasks
            await self.send(text)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.window is None or self.window.close_code:
            return
        if text_data is None:
            await self.send_frame(frames.Error("invalid_frame", "Frames are text, one JSON object each, never binary."))
            return
        if len(text_data) > MAX_FRAME_CHARS:
            await self.send_frame(msgspec.structs.replace(FRAME_TOO_LARGE_ERROR, reply_to=find_reply_to(text_data)))
            return
        try:
            frame = frames.decode_frame(text_data)
        except UNREADABLE as error:
            await self.send_frame(explain_unreadable(error, text_data))
            return
        with structlog.contextvars.bound_contextvars(request_id=choose_request_id(None)):
            await self.handle_frame(frame)

    async def handle_frame(self, frame: frames.FromClient) -> None:
        """Do what a frame asks for; whatever fails becomes an `error` frame."""
        names = ("client_key", "generation", "message", "conversation")
        reply_to: UUID | int | None = next((getattr(frame, name) for name in names if hasattr(frame, name)), None)
        try:
            if isinstance(frame, HISTORY_FRAMES) and not self.caller.has_scope(Scope.HISTORY):
                raise api_errors.scope_required(Scope.HISTORY)
            match frame:
                case frames.Ask() | frames.Edit() | frames.Regenerate() | frames.Continue():
                    await self.send_frame((await self.submit_question(frame)).frame_for_asker())
                case frames.Show():
                    await self.send_to_windows(await in_database(show_version, self.caller.user_id, frame.message))
                case frames.Configure():
                    await self.send_to_windows(
                        await in_database(configure_conversation, await self.opened_by.refresh(), frame)
                    )
                case frames.Details():
                    if (found := await in_database(answer_details, self.caller, frame.generation)) is None:
                        raise FrameRefused(NOT_FOUND_ERROR)
                    await self.send_frame(found)
                case frames.Follow():
                    await self.follow_answer(frame)
                case frames.Unfollow():
                    if tail := self.tails.pop(frame.generation, None):
                        tail.cancel()
                case frames.Stop():
                    await self.check_owner(frame.generation)
                    await stop_generation(frame.generation)
                case frames.Ping():
                    await self.send_frame(frames.Pong())
            return
        except ApiError as error:
            problem = frames.Error.from_api_error(error)
        except FrameRefused as refused:
            problem = refused.problem
        except QueueFull as full:
            problem = frames.Error.from_api_error(full.error)
        except Unauthenticated:
            return  # `stream_notices` closes the socket within a second
        except DataError:  # Postgres is there, and will not have it
            problem = frames.Error("invalid_request_error", UNSTORABLE)
        except (Unavailable, DatabaseError) as error:
            log_failure(log, error)
            problem = UNAVAILABLE_ERROR
        except Exception:
            log.exception("frame.failed", frame=type(frame).__name__)
            request_id = structlog.contextvars.get_contextvars()["request_id"]
            problem = msgspec.structs.replace(INTERNAL_ERROR, request_id=request_id)
        await self.send_frame(msgspec.structs.replace(problem, reply_to=reply_to))

    async def submit_question(self, frame: frames.Asking) -> Submission:
        """Submit what asks for an answer. Raises as `chat.turns.submit.ask_question`."""
        request_id = structlog.contextvars.get_contextvars()["request_id"]
        caller = await self.opened_by.refresh()
        if not caller.has_scope(Scope.CHAT):
            raise api_errors.scope_required(Scope.CHAT)
        origin = Origin(caller, "chat", request_id, frame.client_key)
        match frame:
            case frames.Edit():
                return await edit_question(origin, frame.message, frame.text, frame.model)
            case frames.Regenerate():
                return await regenerate_answer(origin, frame.message, frame.model)
            case frames.Continue():
                return await continue_answer(origin, frame.message)
        return await ask_question(
            caller,
            frame.text,
            source="chat",
            request_id=request_id,
            conversation=frame.conversation,
            model=frame.model,
            client_key=frame.client_key,
            system_prompt=frame.system_prompt,
            temperature=frame.temperature,
        )

    @property
    def caller(self) -> Caller:
        """Who opened the socket, with the rights of that moment."""
        return self.opened_by.caller

    async def send_to_windows(self, frame: frames.FromServer) -> None:
        """Send to this window and all others of the person; this one gets it twice, unless Redis is away."""
        await self.send_frame(frame)
        await announce_frame(self.caller.user_id, frame)

    async def check_owner(self, generation: UUID) -> None:
        """Raise FrameRefused where there is no such generation for this person."""
        mine = Generation.objects.filter(id=generation, owner_id=self.caller.user_id)
        if not self.caller.has_scope(Scope.HISTORY):
            mine = mine.filter(key_id=self.caller.key_id)
        if not await in_database(mine.exists):
            raise FrameRefused(NOT_FOUND_ERROR)

    async def follow_answer(self, frame: frames.Follow) -> None:
        if not self.caller.has_scope(Scope.HISTORY):
            await self.check_owner(frame.generation)
        found = await in_database(find_answer, self.caller.user_id, frame.generation)
        if found is None or self.window is None:
            raise FrameRefused(NOT_FOUND_ERROR)
        if former := self.tails.pop(frame.generation, None):
            former.cancel()
        if len(self.tails) >= MAX_FOLLOWED_ANSWERS:
            raise FrameRefused(TOO_MANY_FOLLOWED_ERROR)
        if found.is_waiting:
            self.window.waiting[frame.generation] = None
        self.tails[frame.generation] = self.start_task(self.stream_answer(frame, found.prefix))

    async def stream_answer(self, wanted: frames.Follow, prefix: str) -> None:
        """Send an answer to its end. While the client does not read, new text is gathered into one frame."""
        generation = wanted.generation
        try:
            stream = self.stream_html if wanted.form == "html" else self.stream_log
            await stream(wanted, prefix)
        except Exception:
            log.exception("tail.failed", generation=str(generation))
            await self.send_frame(msgspec.structs.replace(INTERNAL_ERROR, reply_to=generation))
        finally:
            if self.tails.get(generation) is asyncio.current_task():
                del self.tails[generation]
            if generation not in self.tails:
                self.forget_waiting(generation)

    def forget_waiting(self, generation: UUID) -> None:
        if self.window is not None:
            self.window.waiting.pop(generation, None)

    async def stream_log(self, wanted: frames.Follow, prefix: str) -> None:
        async with contextlib.aclosing(
            follow_with_prefix(wanted.generation, Cursor.parse(wanted.after), prefix)
        ) as batches:
            async for batch in batches:
                if batch[-1][0] > START:
                    self.forget_waiting(wanted.generation)
                for frame in frames_for_events(wanted.generation, batch):
                    await self.send_frame(frame)

    async def stream_html(self, wanted: frames.Follow, prefix: str) -> None:
        async with contextlib.aclosing(stream_html_frames(wanted.generation, prefix)) as answer:
            async for frame in answer:
                if isinstance(frame, frames.Began | frames.Ended):
                    self.forget_waiting(wanted.generation)
                await self.send_frame(frame)

    async def stream_notices(self, window: Window) -> None:
        """Send the engine's state when it changes, and the window's notices; close when the pass is void."""
        shown: frames.State | None = None
        while True:
            await window.news.wait()
            window.news.clear()
            if window.close_code:
                for tail in self.tails.values():
                    tail.cancel()
                await self.close(window.close_code)
                return
            if window.models is not UNTOLD and (state := make_state(window.models, self.caller)) != shown:
                shown = state
                await self.send_frame(state)
            while window.notices:
                await self.send_text(window.notices.popleft())


class FrameRefused(Exception):
    """A frame that is in order but cannot be done."""

    def __init__(self, problem: frames.Error) -> None:
        self.problem = problem
