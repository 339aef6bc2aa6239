"""An upload, as the JSON texts in it and the entries of these."""

import json
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, TypeAlias

import msgspec
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from chat.transfer.format import FORMAT, VERSION
from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError
from jarvis.lib.config import config

Upload: TypeAlias = "UploadedFile[Any]"

LISTS = ("conversations", "chats", "data", "items")  # what a list of conversations is called within an object


def invalid_file(what: str) -> ApiError:
    return api_errors.invalid_request(_("Nothing was imported. {what}").format(what=what), "file")


def file_too_large() -> ApiError:
    words = _(
        "Nothing was imported. The file, or what is packed in it, is larger than {size} MB (JARVIS_IMPORT_BYTES)."
    )
    return api_errors.make_error(
        413, "request_too_large", words.format(size=config.import_bytes // 1_000_000), param="file"
    )


def read_json_texts(file: Upload) -> list[bytes]:
    """The JSON texts in an upload: the file itself, or in a zip each that is named as conversations are. Raises
    ApiError."""
    if (file.size or 0) > config.import_bytes:
        raise file_too_large()
    file.seek(0)
    if file.read(4) != b"PK\x03\x04":
        file.seek(0)
        return [file.read()]
    file.seek(0)
    try:
        return unpack_zip(file)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise invalid_file(_("The zip cannot be unpacked: {error}.").format(error=str(error)[:200])) from None


def unpack_zip(file: Upload) -> list[bytes]:
    """What a zip says of a file's size is not believed: no more than the limit is ever unpacked."""
    texts, left = [], config.import_bytes
    with zipfile.ZipFile(file) as archive:
        for name in choose_members(archive.namelist()):
            with archive.open(name) as member:
                texts.append(read_at_most(member, left))
            left -= len(texts[-1])
    if not texts:
        raise invalid_file(_("The zip has no conversations.json. Take the one that you were sent, as it is."))
    return texts


def choose_members(names: list[str]) -> list[str]:
    """`conversations.json` or `conversations-….json`, else such as Open WebUI and LibreChat name."""
    of_chatgpt = [name for name in names if name.rpartition("/")[2].startswith("conversations")]
    named = of_chatgpt or [name for name in names if is_export_name(name.rpartition("/")[2])]
    return sorted(name for name in named if name.endswith(".json"))


def is_export_name(name: str) -> bool:
    return name.startswith(("chat-", "chats", "all-chats", "conversation", "jarvis-"))


def read_at_most(member: IO[bytes], limit: int) -> bytes:
    text = member.read(limit + 1)
    if len(text) > limit:
        raise file_too_large()
    return text


def split_entries(text: bytes) -> Iterator[Any]:
    """The entries of a JSON text, each decoded by itself, so that one which is odd spoils no other. Raises ApiError
    where it is no JSON at all."""
    text = to_utf8(text)
    try:
        whole = msgspec.json.decode(text, type=list[msgspec.Raw] | dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        yield from list_entries(decode_leniently(text))
        return
    if isinstance(whole, dict):
        check_format(whole)
        listed = next((whole[name] for name in LISTS if name in whole and is_list(whole[name])), None)
        if listed is None:
            yield decode_entry(msgspec.json.encode(whole))
            return
        whole = msgspec.json.decode(listed, type=list[msgspec.Raw])
    for raw in whole:
        yield decode_entry(bytes(raw))


def check_format(whole: dict[str, msgspec.Raw]) -> None:
    """Raises ApiError where a file says that it is of another format than ours."""
    wanted = {"format": FORMAT, "version": VERSION}
    if "format" in whole and any(decode_entry(bytes(whole.get(name, b"null"))) != wanted[name] for name in wanted):
        raise invalid_file(_("Jarvis cannot read files of this format or version."))


def is_list(raw: msgspec.Raw) -> bool:
    return bytes(raw).lstrip()[:1] == b"["


def decode_entry(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return decode_leniently(text)


def list_entries(whole: Any) -> list[Any]:
    if isinstance(whole, dict):
        return next((whole[name] for name in LISTS if isinstance(whole.get(name), list)), [whole])
    return whole if isinstance(whole, list) else []


def to_utf8(text: bytes) -> bytes:
    """A text without its mark of order, in UTF-8 also where it was saved in UTF-16."""
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return text.decode("utf-16", "replace").encode()
    return text.removeprefix(b"\xef\xbb\xbf")


def decode_leniently(text: bytes) -> Any:
    """JSON with what is not allowed in it and other programs write: NaN, halves of characters. Raises ApiError."""
    if text.lstrip(b" \t\r\n")[:1] not in (b"[", b"{"):
        raise invalid_file(_("This is no JSON. Take a file that Jarvis, ChatGPT or a similar program has exported."))
    try:
        return json.loads(text.decode("utf-8", "surrogatepass" if b"\xed" in text else "replace"))
    except UnicodeDecodeError:
        return decode_leniently(text.decode("utf-8", "replace").encode())
    except (ValueError, RecursionError) as error:
        words = _("The file is damaged: {error}. Export it again, and do not change it.")
        raise invalid_file(words.format(error=str(error)[:300])) from None
