"""Exported files: names in every script, and texts that leave each other alone."""

from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt

from chat.transfer.file_names import content_disposition, make_file_name
from chat.transfer.markdown import close_blocks

NAMES = [
    ("备份计划", "备份计划.md", "conversation.md"),
    ("Плана, часть 2", "Плана, часть 2.md", "2.md"),
    ("خطة النسخ", "خطة النسخ.md", "conversation.md"),
    ("แผนสำรอง", "แผนสำรอง.md", "conversation.md"),
    ("백업 계획", "백업 계획.md", "conversation.md"),
    ("Cafe\u0301 🎉", "Café 🎉.md", "cafe.md"),
    ("plain", "plain.md", "plain.md"),
    ('a/b\\c:d*e?f"g<h>i|j', "a b c d e f g h i j.md", "a-b-c-d-e-f-g-h-i-j.md"),
    ("../../etc/passwd", "etc passwd.md", "etc-passwd.md"),
    ("line\r\nSet-Cookie: x", "line Set-Cookie x.md", "line-set-cookie-x.md"),
    ("left\u202eright\u200b", "leftright.md", "leftright.md"),
    ("nul", "conversation nul.md", "conversation-nul.md"),
    ("  ...  ", "conversation.md", "conversation.md"),
    ("", "conversation.md", "conversation.md"),
    ("v1.2 of it.", "v1.2 of it.md", "v12-of-it.md"),
]


@pytest.mark.parametrize(("title", "name", "plain"), NAMES)
def test_a_file_has_the_name_of_its_conversation(title, name, plain):
    assert make_file_name(title, "md") == name
    header = content_disposition(name)
    assert header.startswith(f'attachment; filename="{plain}"')
    assert header.isascii()
    if plain != name:
        assert unquote(header.partition("filename*=UTF-8''")[2]) == name


def test_a_long_name_is_cut_between_characters():
    name = make_file_name("备" * 200, "json")
    assert name == "备" * 60 + ".json"


OPEN = [
    "```python\nprint(1)", "~~~\ncode", "````md\n```\ninner\n```", "text\n\n```", "  ```\ncode",
    "```\na\n```\n\n```js\nb",
    "<!-- a\n\nb", "<pre>\n\ntext", "<script>\n\nx", "```\n~~~", "~~~~\n~~~", "```a\n``` b",
]  # fmt: skip
CLOSED = [
    "text", "```\ncode\n```", "`` ` ``", "- item\n\n  ```\n  in a list", "> ```\n> in a quote", "    ```\n    indented",
    "a < b", "<b>bold", "```inline```", "<!-- a -->", "<div>\n\nx", "1. ```\n   x", "a\n```\nb\n```",
]  # fmt: skip


@pytest.mark.parametrize("text", OPEN + CLOSED)
def test_what_a_text_leaves_open_does_not_swallow_the_next(text):
    closed = close_blocks(text)
    tokens = MarkdownIt("commonmark").parse(f"{closed}\n\n## You\n\nAnd then?\n")
    assert [token.content for token in tokens if token.type == "inline"][-2:] == ["You", "And then?"]
    assert (closed != text) == (text in OPEN)
    assert closed.startswith(text)
