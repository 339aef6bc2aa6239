"""Conversations as files: exported and imported alike, also from ChatGPT; nonsense is refused."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat.models import Conversation, Message
from chat.transfer import import_file
from chat.transfer.export import make_record, stream_all_conversations
from chat.transfer.values import read_moment
from jarvis.lib.api_errors import ApiError
from jarvis.lib.config import config

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/conversations/import/"


def upload(content, name="conversations.json"):
    return SimpleUploadedFile(name, content if isinstance(content, bytes) else json.dumps(content).encode())


def report(**counts):
    """What an import answers."""
    names = ("imported", "skipped", "empty", "unreadable", "messages", "attachments", "shortened")
    return dict.fromkeys(names, 0) | {"notes": []} | counts


def make_zip(**files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/") + ".json", content)
    return packed.getvalue()


def create_tree(owner):
    """Two versions of a question, of an answer, and one that goes on with another."""
    made = Conversation.objects.create(
        owner=owner,
        title="A tree — árbol",
        title_source="owner",
        folder="Work",
        pinned_at=timezone.now(),
        archived_at=timezone.now() - timedelta(days=1),
        model="fake",
        system_prompt="Be brief.\n",
        temperature=0.5,
        created_at=datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC),
    )
    question = made.add_message("user", "one\n\n```python\nprint('ä')\n```")
    answer = made.add_message("assistant", "two")
    made.add_message("user", "three")
    other = made.messages.create(role="assistant", text="two again", parent=question)
    longer = made.messages.create(role="assistant", text="two and on", parent=question, continues=answer)
    made.messages.create(role="user", text="another beginning <b>\u2028")
    assert other.pk < longer.pk
    made.leaf = other
    made.save()
    Message.objects.filter(pk=answer.pk).update(created_at=datetime(2024, 3, 1, tzinfo=UTC))
    return made


def export_record(conversation):
    conversation.refresh_from_db()
    return make_record(conversation, conversation.messages.order_by("id"))


def download_file(client, conversation):
    response = client.get(f"/api/v1/conversations/{conversation.pk}/export/")
    assert response.status_code == 200
    return response


def test_what_is_exported_is_imported_alike(client, alice, bob):
    original = create_tree(alice)
    Conversation.objects.filter(pk=original.pk).update(updated_at=datetime(2025, 1, 1, tzinfo=UTC))
    client.force_login(alice)
    file = download_file(client, original)
    assert file["content-disposition"] == (
        "attachment; filename=\"a-tree-arbol.json\"; filename*=UTF-8''A%20tree%20%E2%80%94%20%C3%A1rbol.json"
    )
    client.force_login(bob)
    counts = client.post(ADDRESS, {"file": upload(file.content)})
    assert (counts.status_code, counts.json()) == (200, report(imported=1))
    copy = Conversation.objects.get(owner=bob)
    before, after = export_record(original), export_record(copy)
    assert after.id != before.id
    after.id = before.id
    assert after == before
    assert copy.leaf.text == "two again"
    assert [m.text for m in copy.path()] == ["two again", original.messages.first().text]


def test_the_same_file_is_imported_once_unless_it_was_deleted(client, alice, bob):
    client.force_login(alice)
    original = create_tree(alice)
    file = download_file(client, original).content
    assert import_file(alice.pk, upload(file)).skipped == 1  # it is there already, not by an import
    assert [import_file(bob.pk, upload(file)).imported for _ in range(2)] == [1, 0]
    copy = Conversation.objects.get(owner=bob)
    copy.delete_softly()
    assert import_file(bob.pk, upload(file)).imported == 1
    copy.restore()  # now it is there twice, by the owner's will
    assert Conversation.objects.for_user(bob.pk).count() == 2
    assert import_file(bob.pk, upload(file)).skipped == 1
    twice = json.loads(file)
    twice["conversations"] *= 2
    Conversation.objects.all().delete()
    counts = import_file(bob.pk, upload(twice))
    assert (counts.imported, counts.skipped) == (1, 1)


def test_an_import_names_no_id_owner_or_time_of_its_own(alice, bob):
    theirs = create_tree(bob)
    file = {"format": "jarvis-conversations", "version": 1, "conversations": [
        {
            "id": str(theirs.pk), "owner": bob.pk, "deleted_at": "2020-01-01T00:00:00Z", "title": " x \n y\u0000",
            "created_at": "0001-01-01T00:00:00Z", "updated_at": "9999-12-31T23:59:59Z",
            "messages": [{"id": 7, "role": "user", "text": "nul \u0000", "created_at": "2024-01-01T00:00:00+14:00"}],
        }
    ]}  # fmt: skip
    assert import_file(alice.pk, upload(file)).imported == 1
    made = Conversation.objects.get(owner=alice)
    assert made.pk != theirs.pk
    assert (made.title, made.deleted_at) == ("x y\ufffd", None)
    assert timezone.now() - made.created_at < timedelta(minutes=1)
    assert timezone.now() - made.updated_at < timedelta(minutes=1)
    assert made.messages.get().text == "nul \ufffd"
    assert made.leaf == made.messages.get()


def test_markdown_is_what_is_shown_in_the_readers_language(client, alice):
    client.force_login(alice)
    made = create_tree(alice)
    response = client.get(f"/api/v1/conversations/{made.pk}/export/?as=markdown", headers={"accept-language": "es"})
    assert response["content-type"] == "text/markdown; charset=utf-8"
    text = response.content.decode()
    assert text.startswith("# A tree — árbol\n\n2024-02-29 · fake\n\n## Tú\n\none\n\n```python\n")
    assert text.endswith("## Jarvis\n\ntwo again\n")
    assert "three" not in text
    assert client.get(f"/api/v1/conversations/{made.pk}/export/?as=pdf").status_code == 400


@pytest.mark.django_db(transaction=True)
async def test_all_are_exported_in_pieces(alice, bob):
    from jarvis.lib.database import in_database

    def some():
        for number in range(45):
            Conversation.objects.create(owner=alice, title=str(number)).add_message("user", "hello")
        create_tree(bob)
        Conversation.objects.create(owner=alice, title="deleted", deleted_at=timezone.now()).add_message(
            "user", "hello"
        )

    await in_database(some)
    pieces = [piece async for piece in stream_all_conversations(alice.pk)]
    assert len(pieces) > 10
    file = json.loads(b"".join(pieces))
    assert [one["title"] for one in file["conversations"]] == [str(number) for number in reversed(range(45))]
    assert json.loads(b"".join([piece async for piece in stream_all_conversations(0)]))["conversations"] == []
    counts = await in_database(import_file, bob.pk, upload(file))
    assert counts.imported == 45


# ChatGPT's export


def node(role=None, *parts, parent=None, **message):
    """A node of the mapping, as the export has it."""
    if role is None:
        return {"id": "x", "message": None, "parent": parent, "children": []}
    content = {"content_type": "text", "parts": list(parts)} | message.pop("content", {})
    written = {"id": "x", "author": {"role": role, "name": None, "metadata": {}}, "create_time": 1700000000.5}
    written |= {"content": content, "status": "finished_successfully", "end_turn": True, "weight": 1.0, "metadata": {}}
    return {"id": "x", "message": written | {"recipient": "all"} | message, "parent": parent, "children": []}


def chat(mapping, current, **fields):
    return {
        "title": "From elsewhere",
        "create_time": 1700000000.25,
        "update_time": 1700003600.0,
        "mapping": mapping,
        "moderation_results": [],
        "current_node": current,
        "conversation_id": "6f0f-1",
        "default_model_slug": "gpt-4o",
        "is_archived": False,
        **fields,
    }


FULL = chat(
    {
        "root": node(),
        "system": node("system", "", parent="root", metadata={"is_visually_hidden_from_conversation": True}),
        "context": node("user", "", parent="system", content={"content_type": "user_editable_context", "parts": None}),
        "q1": node("user", "What is the weather?", parent="context"),
        "think": node("assistant", parent="q1", content={"content_type": "thoughts", "thoughts": []}),
        "call": node("assistant", "search()", parent="think", recipient="browser"),
        "tool": node("tool", "sunny", parent="call"),
        "a1": node("assistant", "Let me look.", parent="q1"),
        "call2": node("assistant", "x", parent="a1", recipient="python", content={"content_type": "code", "text": "x"}),
        "a2": node("assistant", "It is sunny.", parent="call2"),
        "q2": node("user", {"content_type": "image_asset_pointer"}, "And this?", parent="a2",
                   content={"content_type": "multimodal_text"}),
        "a3": node("assistant", "A cat.", parent="q2"),
        "q2b": node("user", "And tomorrow?", parent="a2"),
        "a3b": node("assistant", "Rain.", parent="q2b"),
        "end": node("assistant", "hidden", parent="a3b", metadata={"is_visually_hidden_from_conversation": True}),
    },
    "end",
)  # fmt: skip


def test_a_chat_of_elsewhere_comes_as_the_tree_that_its_people_saw(alice):
    assert import_file(alice.pk, upload([FULL])).imported == 1
    made = Conversation.objects.get()
    assert (made.title, made.title_source, made.model) == ("From elsewhere", "model", "")
    assert made.created_at == datetime(2023, 11, 14, 22, 13, 20, 250000, tzinfo=UTC)
    assert made.updated_at == datetime(2023, 11, 14, 23, 13, 20, tzinfo=UTC)
    rows = [(m.role, m.text, m.parent and m.parent.text) for m in made.messages.order_by("id")]
    answer = "Let me look.\n\nIt is sunny."
    assert rows == [
        ("user", "What is the weather?", None),
        ("assistant", answer, "What is the weather?"),
        ("user", "And this?", answer),
        ("assistant", "A cat.", "And this?"),
        ("user", "And tomorrow?", answer),
        ("assistant", "Rain.", "And tomorrow?"),
    ]
    assert made.leaf.text == "Rain."
    assert [m.text for m in made.path()] == ["Rain.", "And tomorrow?", answer, "What is the weather?"]


def test_nothing_of_it_is_lost_where_two_answers_follow_one(alice):
    mapping = {"q": node("user", "q"), "a": node("assistant", "a", parent="q")}
    mapping |= {"b": node("assistant", "b", parent="a"), "c": node("assistant", "c", parent="a")}
    import_file(alice.pk, upload([chat(mapping, "b")]))
    made = Conversation.objects.get()
    assert [m.text for m in made.messages.order_by("id")] == ["q", "a\n\nb", "a\n\nc"]
    assert made.leaf.text == "a\n\nb"


def test_the_zip_is_taken_as_it_comes(client, alice):
    client.force_login(alice)
    other = FULL | {"conversation_id": "6f0f-2", "title": None, "is_archived": True}
    archive = make_zip(
        chat="{}", export__conversations=json.dumps([FULL]), **{"conversations-001": json.dumps([other])}
    )
    response = client.post(ADDRESS, {"file": upload(archive, "export.zip")})
    assert response.json() == report(imported=2, attachments=2)
    assert Conversation.objects.archived().get().title == "What is the weather?"
    assert client.post(ADDRESS, {"file": upload(archive)}).json()["skipped"] == 2


def test_an_empty_chat_is_counted_and_left_out(alice):
    counts = import_file(alice.pk, upload([chat({"root": node()}, "root")]))
    assert (counts.imported, counts.empty) == (0, 1)


def cut(archive, at):
    return archive[:at] + b"\xff" * 8 + archive[at + 8 :]


ONE = {"id": "x", "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z"}


def our_file(*messages, **fields):
    said = [{"role": "user", "text": "x", "created_at": "2024-01-01T00:00:00Z"} | message for message in messages]
    return {"format": "jarvis-conversations", "version": 1, "conversations": [ONE | {"messages": said} | fields]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no JSON"),
        (b"hello", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"{", "damaged"),
        (b"[" * 100_000, "damaged"),
        ({"format": "other", "version": 1, "conversations": []}, "format or version"),
        ({"format": "jarvis-conversations", "version": 2, "conversations": []}, "format or version"),
        (our_file({"id": 1, "role": "system"}), "$.messages[0].role"),
        (our_file({"id": 1, "text": None}), "$.messages[0].text"),
        (our_file({"id": 1, "parent": 2}), "messages[0].parent: 2 does not come before it"),
        (our_file({"id": 1, "parent": 1}), "messages[0].parent"),
        (our_file({"id": 1}, {"id": 1}), "messages[1].id: 1 is there twice"),
        (our_file({"id": 1}, leaf=5), "there is no message 5"),
        (our_file({"id": 1}, temperature=3), "$.temperature"),
        (our_file({"id": 1}, created_at="2024-01-01T00:00:00"), "created_at"),
        (our_file({"id": 1, "text": "x" * 1_000_001}), "messages[0].text"),
        ([{"title": "x"}], "Entry 1 “x”: it is no conversation"),
        ([1], "Entry 1: it is no conversation"),
        ({}, "it is no conversation"),
        (make_zip(readme="[]"), "has no conversations.json"),
        (make_zip(conversations="[")[:40], "cannot be unpacked"),
        (cut(make_zip(conversations=json.dumps([FULL])), 60), "cannot be unpacked"),
        (make_zip(conversations="nonsense"), "no JSON"),
    ],
)
def test_what_is_not_in_order_is_refused_with_what_is_wrong_and_nothing_is_stored(client, alice, content, words):
    client.force_login(alice)
    response = client.post(ADDRESS, {"file": upload(content)})
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["message"].startswith("Nothing was imported.")
    assert words in error["message"]
    assert len(error["message"]) < 700
    assert not Conversation.objects.exists()


def test_what_cannot_be_read_is_left_out_and_told_and_the_rest_is_taken(client, alice):
    client.force_login(alice)
    odd = [1, None, {"id": "f1", "title": "Work", "type": "folder"}, {"mapping": 1, "title": "Broken"}]
    response = client.post(ADDRESS, {"file": upload([*odd, FULL])})
    assert response.json() == report(imported=1, unreadable=4, attachments=1, notes=[
        "Entry 1: it is no conversation.", "Entry 2: it is no conversation.",
        "Entry 3 “Work”: it is no conversation.", "Entry 4 “Broken”: it is no conversation.",
    ])  # fmt: skip
    ours = our_file({"id": 1})
    ours["conversations"] = [{**ours["conversations"][0], "id": "y"}, ONE | {"messages": 7, "title": "Seven"}]
    counts = import_file(alice.pk, upload(ours))
    assert (counts.imported, counts.unreadable) == (1, 1)
    assert counts.notes[0].startswith("Entry 2 “Seven”: Expected `array`, got `int`")


def test_a_zip_that_swells_is_not_unpacked_beyond_the_limit(client, alice):
    client.force_login(alice)
    bomb = make_zip(conversations=b"[" + b" " * (config.import_bytes + 1))
    assert len(bomb) < 200_000
    response = client.post(ADDRESS, {"file": upload(bomb)})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "request_too_large")
    assert "JARVIS_IMPORT_BYTES" in response.json()["error"]["message"]


def test_a_form_without_a_file_is_refused(client, alice):
    client.force_login(alice)
    for body, kind in (({}, None), ({"file": "text"}, None), ("{}", "application/json")):
        response = client.post(ADDRESS, body, **({"content_type": kind} if kind else {}))
        assert response.status_code == 400
        assert response.json()["error"]["param"] == "file"
    assert client.post(ADDRESS, b"x", content_type="text/plain").status_code == 415


def test_a_big_import_takes_few_queries(alice, django_assert_max_num_queries):
    many = [FULL | {"conversation_id": str(number)} for number in range(150)]
    with django_assert_max_num_queries(12):
        assert import_file(alice.pk, upload(many)).imported == 150
    assert Message.objects.count() == 900


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(["a", "b", "c", "d", "root"])
fuzzed_nodes = st.builds(
    lambda role, text, parent, extra: node(role, text, parent=parent, **extra),
    st.sampled_from([None, "user", "assistant", "tool", "system"]),
    st.text(max_size=10) | json_values,
    st.none() | names,
    st.dictionaries(st.sampled_from(["create_time", "recipient", "content", "metadata"]), json_values, max_size=1)
    .filter(lambda extra: isinstance(extra.get("content", {}), dict)),
)  # fmt: skip
fuzzed_chats = st.builds(
    lambda mapping, current, extra: [chat(mapping, current, **extra)],
    st.dictionaries(names, fuzzed_nodes, max_size=5),
    st.none() | names,
    st.dictionaries(
        st.sampled_from(["title", "create_time", "update_time", "conversation_id"]), json_values, max_size=2
    ),
)
fuzzed_ours = st.builds(
    our_file,
    st.dictionaries(st.sampled_from(["id", "parent", "role", "text", "created_at"]), json_values, max_size=2).map(
        lambda extra: {"id": 1} | extra
    ),
)


def outcome(owner, content):
    """The status with which a file is refused, None where it is imported."""
    try:
        import_file(owner.pk, upload(content))
    except ApiError as error:
        return error.status
    return None


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=json_values | fuzzed_chats | fuzzed_ours)
def test_whatever_is_sent_is_imported_or_refused_and_never_a_fault(alice, content):
    written = json.dumps(content).encode("utf-8", "surrogatepass")
    assert outcome(alice, written) in (None, 400)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(at=st.integers(0, 400), junk=st.binary(min_size=1, max_size=8))
def test_a_damaged_zip_is_refused_and_never_a_fault(alice, at, junk):
    archive = make_zip(conversations=json.dumps([FULL]))
    damaged = archive[:at] + junk + archive[at + len(junk) :]
    assert outcome(alice, damaged) in (None, 400, 413)


@pytest.mark.parametrize("moment", [None, "", True, 1e300, -1e300, float("nan"), [], "yesterday", "1e999"])
def test_times_that_cannot_be_are_mended(moment):
    assert read_moment(moment) == datetime.fromtimestamp(0, UTC)


@pytest.mark.parametrize("moment", [
    1700000000, 1700000000.0, "1700000000", 1700000000000, 1700000000000000, "2023-11-14T22:13:20Z",
    "2023-11-14T23:13:20+01:00", "2023-11-14T22:13:20", " 1700000000.0 ",
])  # fmt: skip
def test_times_are_read_in_every_form(moment):
    assert read_moment(None, moment) == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
