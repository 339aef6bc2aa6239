"""Exports of other programs, as they are found: odd entries are left out, and what people saw is taken."""

import json
from datetime import UTC, datetime

import pytest

from chat.models import Conversation, Message
from chat.transfer import import_file
from chat.transfer.chatgpt import clean_marks
from tests.chat.test_transfer import make_zip, upload

pytestmark = pytest.mark.django_db


def node(role, text, parent=None, **more):
    content = {"content_type": "text", "parts": [text]} if isinstance(text, str) else text
    return {
        "parent": parent,
        "message": {"author": {"role": role}, "content": content, "create_time": 1790000000.0},
    } | more


def chat(mapping=None, **fields):
    mapping = {"a": node("user", "Q"), "b": node("assistant", "A", "a")} if mapping is None else mapping
    return {"id": "c1", "title": "One", "create_time": 1790000000.0, "mapping": mapping, "current_node": "b"} | fields


def tell():
    """Who said what after whom, in the conversation that is not called Other."""
    said = Message.objects.exclude(conversation__title="Other").order_by("id")
    return [(m.role, m.text, m.parent and m.parent.text) for m in said]


TURN = [("user", "Q", None), ("assistant", "A", "Q")]
A, B = node("user", "Q"), node("assistant", "A", "a")

ODD_CHATS = {
    "null node": chat({"a": A, "b": B, "x": None}),
    "node of another type": chat({"a": A, "b": B, "x": "text", "y": []}),
    "null author": chat({"a": A, "b": B, "x": {"parent": "b", "message": {"author": None, "content": None}}}),
    "null message": chat({"root": {"message": None, "children": ["a"]}, "a": A, "b": B}),
    "content is a text": chat({"a": A, "b": B, "x": node("user", 7, "b")}),
    "numeric title": chat(title=2026),
    "title is an object": chat(title={"a": 1}),
    "no title": chat(title=None),
    "time as text": chat(create_time="2026-09-21T14:13:20Z", update_time="yesterday"),
    "time is NaN": chat(create_time=float("nan"), update_time=float("inf")),
    "half a character": chat(title="half \ud83d an emoji"),
    "current node is nowhere": chat(current_node="zzz"),
    "current node is a number": chat(current_node=7),
    "current node is missing": {name: value for name, value in chat().items() if name != "current_node"},
    "parent is nowhere": chat({"a": node("user", "Q", "gone"), "b": B}),
    "parent is itself": chat({"a": node("user", "Q", "a"), "b": B}),
    "parts hold what is no text": chat({"a": A, "b": node("assistant", {"parts": ["A", None, 1, {}]}, "a")}),
    "only children": chat({"a": {"message": A["message"], "children": ["b"]}, "b": {"message": B["message"]}}),
    "no links": chat({"a": {"message": A["message"]}, "b": {"message": B["message"]}}),
    "a circle": chat({"a": node("user", "Q", "b"), "b": B}),
    "unknown fields": chat(plugin_ids=None, gizmo_id="g-1", safe_urls=[], voice={"a": 1}, is_archived="no"),
    "id is a number": chat(id=17),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_CHATS)
def test_an_odd_chat_is_taken_as_far_as_it_goes_and_spoils_no_other(alice, name):
    written = json.dumps([ODD_CHATS[name], chat(id="other", title="Other", create_time=1690000000)], ensure_ascii=False)
    counts = import_file(alice.pk, upload(written.encode("utf-8", "surrogatepass")))
    assert (counts.imported, counts.unreadable) == (2, 0)
    assert sorted(tell()) == sorted(TURN)
    escaped = import_file(alice.pk, upload(json.dumps([ODD_CHATS[name]]).encode()))
    assert escaped.skipped == 1


def test_a_message_that_is_too_long_is_cut_off_and_counted(alice):
    counts = import_file(alice.pk, upload([chat({"a": A, "b": node("assistant", "x" * 1_000_001, "a")})]))
    assert (counts.imported, counts.shortened) == (1, 1)
    assert len(Message.objects.get(role="assistant").text) == 1_000_000


def test_a_message_of_nobody_is_counted(alice):
    lost = node("user", "who?", "b")
    lost["message"]["author"] = {"role": None}
    counts = import_file(alice.pk, upload([chat({"a": A, "b": B, "c": lost})]))
    assert (counts.imported, counts.messages, tell()) == (1, 1, TURN)


def test_what_was_said_by_voice_is_taken(alice):
    def heard(text):
        spoken = {"content_type": "audio_transcription", "text": text, "direction": "in"}
        sounds = [
            {"content_type": kind} for kind in ("audio_asset_pointer", "real_time_user_audio_video_asset_pointer")
        ]
        return {"content_type": "multimodal_text", "parts": [spoken, *sounds]}

    counts = import_file(
        alice.pk, upload([chat({"a": node("user", heard("Q")), "b": node("assistant", heard("A"), "a")})])
    )
    assert (counts.imported, counts.attachments, tell()) == (1, 0, TURN)


MARKS = [
    ("Rain. \ue200cite\ue202turn0search3\ue202turn0search8\ue201 Take a coat.", "Rain. Take a coat."),
    ("Rain\ue200cite\ue202turn0news1\ue201.", "Rain."),
    ('\ue200entity\ue202["city","Paris","capital"]\ue201 is big', "Paris is big"),
    ('In \ue200entity\ue202["book","A \\"B\\"",1]\ue201.', 'In A "B".'),
    ("See \ue200filecite\ue202turn0file0\ue202L1-L5\ue201.", "See."),
    ("\ue200url\ue202The page\ue202turn0search1\ue201", "The page"),
    ("\ue203Rain\ue204 comes \ue206", "Rain comes"),
    ("cut off \ue200cite\ue202turn0search1", "cut off"),
    ("As it says【11†source】 and 【4:0†file.pdf】.", "As it says and ."),
    ("\ue200navlist\ue202News\ue202turn0news1,turn0news2\ue201\nEnd", "End"),
    ("an icon \uf8ff stays", "an icon \uf8ff stays"),
    ("【重要】 stays", "【重要】 stays"),
]


@pytest.mark.parametrize(("text", "clean"), MARKS)
def test_marks_of_citations_do_not_stay(text, clean):
    assert clean_marks(text, {}) == clean


def test_a_citation_is_a_link_where_the_file_has_it():
    mark = "\ue200cite\ue202turn0search3\ue201"
    references = {
        "content_references": [{"matched_text": mark, "alt": "([BBC](https://bbc.example/1))"}, 7, {"alt": None}]
    }
    assert clean_marks(f"Rain. {mark}", references) == "Rain. ([BBC](https://bbc.example/1))"


OPEN_WEBUI = {
    "id": "w1", "user_id": "u", "title": "Web", "archived": True, "pinned": True,
    "created_at": 1790000000, "updated_at": 1790000100,
    "chat": {
        "title": "Web", "models": ["llama3"], "params": {"system": "Be brief."},
        "history": {"currentId": "4", "messages": {
            "1": {"id": "1", "parentId": None, "childrenIds": ["2", "4"], "role": "user", "content": "Q",
                  "timestamp": 1790000000, "files": [{"type": "image"}]},
            "2": {"id": "2", "parentId": "1", "childrenIds": ["3"], "role": "assistant", "content": "A",
                  "timestamp": 1790000001},
            "3": {"id": "3", "parentId": "2", "childrenIds": [], "role": "user", "content": "Q2"},
            "4": {"id": "4", "parentId": "1", "role": "assistant", "model": "llama3", "content":
                  '<details type="reasoning" done="true">\n<summary>Thought</summary>\n> hm\n</details>\nA again'},
            "5": None,
        }},
    },
}  # fmt: skip
WEB_TURNS = [("user", "Q", None), ("assistant", "A", "Q"), ("user", "Q2", "A"), ("assistant", "A again", "Q")]
CLAUDE = {
    "uuid": "c-1", "name": "Claude's", "summary": "",
    "created_at": "2026-09-21T14:13:20.123456Z", "updated_at": "2026-09-21T14:15:00Z",
    "account": {"uuid": "x"}, "chat_messages": [
        {"uuid": "m1", "text": "Q", "content": [{"type": "text", "text": "Q", "citations": []}], "sender": "human",
         "created_at": "2026-09-21T14:13:21Z", "files": [{"file_name": "a.png"}],
         "attachments": [{"file_name": "log.txt", "extracted_content": "line ``` 1\n"}]},
        {"uuid": "m2", "text": "A\n```\nThis block is not supported on your current device yet.\n```",
         "sender": "assistant", "attachments": [], "files": [],
         "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "A"},
                     {"type": "tool_use", "input": {}}, {"type": "text", "text": "and on"}]},
        {"uuid": "m3", "text": "Q2", "sender": "human"},
        {"uuid": "m4", "text": "", "content": [], "sender": "assistant"}, None,
    ],
}  # fmt: skip
QUESTION = "log.txt\n\n````\nline ``` 1\n````\n\nQ"
CLAUDE_TURNS = [("user", QUESTION, None), ("assistant", "A\n\nand on", QUESTION), ("user", "Q2", "A\n\nand on")]
ROOT = "00000000-0000-0000-0000-000000000000"
LIBRECHAT = {
    "conversationId": "l-1", "endpoint": "openAI", "title": "Libre", "exportAt": "14:13:20 GMT+0000", "branches": True,
    "recursive": False, "options": {"model": "gpt-4o", "promptPrefix": "Be brief."}, "messages": [
        {"messageId": "1", "parentMessageId": ROOT, "text": "Q", "sender": "User", "isCreatedByUser": True,
         "createdAt": "2026-09-21T14:13:20.000Z"},
        {"messageId": "2", "parentMessageId": "1", "text": "", "sender": "GPT", "isCreatedByUser": False,
         "content": [{"type": "think", "think": "hm"}, {"type": "text", "text": {"value": "A"}}]},
        {"messageId": "3", "parentMessageId": "1", "text": "A again", "sender": "GPT", "isCreatedByUser": False},
        {"messageId": "4", "parentMessageId": "3", "text": "failed", "error": True, "isCreatedByUser": False}, 7,
    ],
}  # fmt: skip
LIBRE_TURNS = [("user", "Q", None), ("assistant", "A", "Q"), ("assistant", "A again", "Q")]
NESTED = LIBRECHAT | {"conversationId": "l-2", "recursive": True, "messages": [
    {"messageId": "1", "text": "Q", "isCreatedByUser": True, "createdAt": "2026-09-21T14:13:20.000Z", "children": [
        {"messageId": "2", "text": "A", "isCreatedByUser": False, "children": []},
        {"messageId": "3", "text": "A again", "sender": "GPT"}]},
]}  # fmt: skip


@pytest.mark.parametrize(
    ("export", "turns", "source", "lost"),
    [
        ([OPEN_WEBUI], WEB_TURNS, "openwebui:w1", (1, 1)),
        ([OPEN_WEBUI["chat"] | {"id": "w0"}], WEB_TURNS, "openwebui:w0", (1, 1)),
        (OPEN_WEBUI, WEB_TURNS, "openwebui:w1", (1, 1)),
        ([CLAUDE], CLAUDE_TURNS, "claude:c-1", (1, 1)),
        ({"conversations": [CLAUDE]}, CLAUDE_TURNS, "claude:c-1", (1, 1)),
        (LIBRECHAT, LIBRE_TURNS, "librechat:l-1", (1, 0)),
        ([LIBRECHAT], LIBRE_TURNS, "librechat:l-1", (1, 0)),
        (NESTED, LIBRE_TURNS, "librechat:l-2", (0, 0)),
        (chat(), TURN, "chatgpt:c1", (0, 0)),
    ],
)
def test_exports_of_other_programs_are_taken(alice, export, turns, source, lost):
    counts = import_file(alice.pk, upload(export))
    assert (counts.imported, counts.unreadable, (counts.messages, counts.attachments)) == (1, 0, lost)
    made = Conversation.objects.get()
    assert sorted(tell(), key=str) == sorted(turns, key=str)
    assert made.imported_from == source
    assert made.created_at.astimezone(UTC).replace(microsecond=0) == datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
    assert import_file(alice.pk, upload(export)).skipped == 1


def test_what_else_they_say_of_a_conversation_is_taken(alice):
    import_file(alice.pk, upload([OPEN_WEBUI]))
    made = Conversation.objects.get()
    assert (made.title, made.system_prompt, made.archived, made.pinned) == ("Web", "Be brief.", True, True)
    assert made.leaf.text == "A again"


def test_files_with_other_names_in_a_zip_are_taken(alice):
    archive = make_zip(**{"chat-export-1790000000": json.dumps([OPEN_WEBUI]), "users": "[]", "projects": "[]"})
    assert import_file(alice.pk, upload(archive)).imported == 1


def test_all_of_them_may_stand_in_one_file(alice):
    counts = import_file(alice.pk, upload([OPEN_WEBUI, CLAUDE, LIBRECHAT, chat(), {"title": "Work", "type": "folder"}]))
    assert (counts.imported, counts.unreadable) == (4, 1)
