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
from chat.turns.settings import configure, details, show
from chat.turns.submit import Asked, Origin, ask, edit, go_on, regenerate
from chat.ws.connections import VOID, Sockets, Window, announce
from chat.ws.handshake import ForeignOrigin, MayNotChat, admit, headers_of
from chat.ws.live_html import shown
from chat.ws.replay import looked_up, told_from
from inference.api.http import UNSTORABLE
from inference.log.events import START, Cursor
from inference.models import Generation
from inference.queue.submit import Away, QueueFull, stop
from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError
from jarvis.lib.config import config
from jarvis.lib.database import in_database, log_failure
from jarvis.lib.request_id import request_id

log = structlog.get_logger(__name__)

# Characters; JSON may write one character with six.
LONGEST_FRAME = 4096 + 6 * (config.max_message_chars + frames.PROMPT_CHARS)
# What reads or changes conversations by ids that could be guessed.
OF_HISTORY = (frames.Edit, frames.Regenerate, frames.Continue, frames.Show, frames.Configure, frames.Details)
MOST_FOLLOWED = 32  # answers at a time on one socket

NOT_FOUND = frames.Error("not_found", "There is no such generation, or it is not yours.")
AWAY = frames.Error("unavailable", "The database cannot be reached. Try again in a moment.")
BROKE = frames.Error("internal_error", "Jarvis failed on this. Try again; if it fails again, tell an administrator.")
TOO_LONG = frames.Error("frame_too_large", f"A frame may have {LONGEST_FRAME} characters. Send less.")
TOO_MANY = frames.Error("too_many_followed", f"{MOST_FOLLOWED} answers can be followed at a time. Unfollow one first.")


class ChatConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One socket. Its windows' news and each answer that it follows are told by tasks of their own."""

    channel_layer_alias = "none"  # `chat.ws.connections` listens for all sockets of the process at once

    async def connect(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self.tails: dict[UUID, asyncio.Task[None]] = {}
        self.window: Window | None = None
        try:
            opened_by = await admit(self.scope)
        except (ForeignOrigin, MayNotChat):
            await self.close()  # before it is accepted: the handshake is answered with 403
            return
        except Unauthenticated as error:
            await self.refuse(str(error))
            return
        except DatabaseError as error:
            log_failure(log, error)
            await self.accept()
            await self.close(1013)
            return
        await self.accept()
        self.opened_by = opened_by
        self.window = Window(opened_by)
        Sockets.here().add(self.window)
        self.start(self.tell_news(self.window))

    async def refuse(self, reason: str) -> None:
        """401 for a program; a browser is not told the status of a handshake, so it is told by the close code."""
        if "origin" in headers_of(self.scope):
            await self.accept()
            await self.close(VOID, reason)
        elif "websocket.http.response" in self.scope.get("extensions", {}):
            head = [(b"content-type", b"text/plain; charset=utf-8")]
            await self.base_send({"type": "websocket.http.response.start", "status": 401, "headers": head})
            await self.base_send({"type": "websocket.http.response.body", "body": reason.encode()})
            raise StopConsumer
        else:
            await self.close()

    async def disconnect(self, code: int) -> None:
        if self.window is not None:
            Sockets.here().remove(self.window)
        for task in self.tasks:
            task.cancel()

    def start(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def tell(self, frame: frames.FromServer) -> None:
        await self.tell_text(frames.encode(frame))

    async def tell_text(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the client has left; `disconnect` comes and ends whatever still tells
            await self.send(text)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.window is None or self.window.closes:
            return
        if text_data is None:
            await self.tell(frames.Error("invalid_frame", "Frames are text, one JSON object each, never binary."))
            return
        if len(text_data) > LONGEST_FRAME:
            await self.tell(TOO_LONG)
            return
        try:
            frame = frames.read(text_data)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            await self.tell(frames.Error("invalid_frame", f"{error}. docs/websocket.md describes the frames."))
            return
        with structlog.contextvars.bound_contextvars(request_id=request_id(None)):
            await self.answer(frame)

    async def answer(self, frame: frames.FromClient) -> None:
        """Do what a frame asks for; whatever fails becomes an `error` frame."""
        names = ("client_key", "generation", "message", "conversation")
        reply_to: UUID | int | None = next((getattr(frame, name) for name in names if hasattr(frame, name)), None)
        try:
            if isinstance(frame, OF_HISTORY) and not self.caller.may(Scope.HISTORY):
                raise api_errors.missing_scope(Scope.HISTORY)
            match frame:
                case frames.Ask() | frames.Edit() | frames.Regenerate() | frames.Continue():
                    await self.tell((await self.asked(frame)).accepted())
                case frames.Show():
                    await self.tell_all(await in_database(show, self.caller.user_id, frame.message))
                case frames.Configure():
                    await self.tell_all(await in_database(configure, await self.opened_by.renewed(), frame))
                case frames.Details():
                    if (found := await in_database(details, self.caller.user_id, frame.generation)) is None:
                        raise Refused(NOT_FOUND)
                    await self.tell(found)
                case frames.Follow():
                    await self.follow(frame)
                case frames.Unfollow():
                    if tail := self.tails.pop(frame.generation, None):
                        tail.cancel()
                case frames.Stop():
                    await self.check_mine(frame.generation)
                    await stop(frame.generation)
                case frames.Ping():
                    await self.tell(frames.Pong())
            return
        except ApiError as error:
            problem = frames.Error.of(error)
        except Refused as refused:
            problem = refused.problem
        except QueueFull as full:
            problem = frames.Error.of(full.error)
        except Unauthenticated:
            return  # `tell_news` closes the socket within a second
        except DataError:  # Postgres is there, and will not have it
            problem = frames.Error("invalid_request_error", UNSTORABLE)
        except (Away, DatabaseError) as error:
            log_failure(log, error)
            problem = AWAY
        except Exception:
            log.exception("frame.failed", frame=type(frame).__name__)
            problem = BROKE
        await self.tell(msgspec.structs.replace(problem, reply_to=reply_to))

    async def asked(self, frame: frames.Asking) -> Asked:
        """Have accepted what asks for an answer. Raises as `chat.turns.submit.ask`."""
        request_id = structlog.contextvars.get_contextvars()["request_id"]
        caller = await self.opened_by.renewed()
        if not caller.may(Scope.CHAT):
            raise api_errors.missing_scope(Scope.CHAT)
        origin = Origin(caller, "chat", request_id, frame.client_key)
        match frame:
            case frames.Edit():
                return await edit(origin, frame.message, frame.text, frame.model)
            case frames.Regenerate():
                return await regenerate(origin, frame.message, frame.model)
            case frames.Continue():
                return await go_on(origin, frame.message)
        return await ask(
            caller,
            frame.text,
            door="chat",
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

    async def tell_all(self, frame: frames.FromServer) -> None:
        """Tell this window, and all others of the person; this one is told twice, where Redis is there."""
        await self.tell(frame)
        await announce(self.caller.user_id, frames.encode(frame))

    async def check_mine(self, generation: UUID) -> None:
        """Raise Refused where there is no such generation for this person."""
        mine = Generation.objects.filter(id=generation, owner_id=self.caller.user_id)
        if not self.caller.may(Scope.HISTORY):
            mine = mine.filter(key_id=self.caller.key_id)
        if not await in_database(mine.exists):
            raise Refused(NOT_FOUND)

    async def follow(self, frame: frames.Follow) -> None:
        if not self.caller.may(Scope.HISTORY):
            await self.check_mine(frame.generation)
        found = await in_database(looked_up, self.caller.user_id, frame.generation)
        if found is None or self.window is None:
            raise Refused(NOT_FOUND)
        if former := self.tails.pop(frame.generation, None):
            former.cancel()
        if len(self.tails) >= MOST_FOLLOWED:
            raise Refused(TOO_MANY)
        if found.waits:
            self.window.waiting[frame.generation] = None
        self.tails[frame.generation] = self.start(self.tail(frame, found.begun))

    async def tail(self, wanted: frames.Follow, begun: str) -> None:
        """Tell an answer to its end. While the client does not read, what comes is gathered into one frame."""
        generation = wanted.generation
        try:
            tell = self.tell_html if wanted.form == "html" else self.tell_log
            await tell(wanted, begun)
        except Exception:
            log.exception("tail.failed", generation=str(generation))
            await self.tell(msgspec.structs.replace(BROKE, reply_to=generation))
        finally:
            if self.tails.get(generation) is asyncio.current_task():
                del self.tails[generation]
            if generation not in self.tails:
                self.no_longer_waits(generation)

    def no_longer_waits(self, generation: UUID) -> None:
        if self.window is not None:
            self.window.waiting.pop(generation, None)

    async def tell_log(self, wanted: frames.Follow, begun: str) -> None:
        async with contextlib.aclosing(told_from(wanted.generation, Cursor.parse(wanted.after), begun)) as batches:
            async for batch in batches:
                if batch[-1][0] > START:
                    self.no_longer_waits(wanted.generation)
                for frame in frames.told(wanted.generation, batch):
                    await self.tell(frame)

    async def tell_html(self, wanted: frames.Follow, begun: str) -> None:
        async with contextlib.aclosing(shown(wanted.generation, begun)) as told:
            async for frame in told:
                if isinstance(frame, frames.Began | frames.Ended):
                    self.no_longer_waits(wanted.generation)
                await self.tell(frame)

    async def tell_news(self, window: Window) -> None:
        """Tell the engine's state when it changes and what was asked elsewhere; close when the pass is void."""
        shown: frames.State | None = None
        while True:
            await window.news.wait()
            window.news.clear()
            if window.closes:
                for tail in self.tails.values():
                    tail.cancel()
                await self.close(window.closes)
                return
            if window.state is not None and window.state is not shown:
                shown = window.state
                await self.tell(shown)
            while window.notices:
                await self.tell_text(window.notices.popleft())


class Refused(Exception):
    """A frame that is in order but cannot be done."""

    def __init__(self, problem: frames.Error) -> None:
        self.problem = problem
