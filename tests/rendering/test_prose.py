"""What models write that CommonMark has no answer to: scripts without blanks, HTML, fences in fences."""

import re

import pytest

from chat.rendering.incremental import Draft, close_markup
from chat.rendering.markdown import render_markdown

STRONG = {
    "**注意：**先备份数据": "注意：",
    "他说**“可以”**然后走了": "“可以”",
    "前文**（测试）**后文": "（测试）",
    "これは**「強調」**です": "「強調」",
    "**마크다운(Markdown)**은": "마크다운(Markdown)",
    "ข้อความ**(ทดสอบ)**ต่อ": "(ทดสอบ)",
    "**100%**增长": "100%",
    "**`code`：**说明": "<code>code</code>：",
    "**Note:**see below": "Note:",
    "see**(above)**now": "(above)",
    "**“Quoted”**and on": "“Quoted”",
}
NOT_STRONG = [
    "a ** b ** c",
    "**kwargs and call(**options)",
    "2 ** 3 ** 4",
    "** 注意：**",
    "f(x, **kw): call(**kw)",
    "注意 ** 意 **",
]


@pytest.mark.parametrize("source", STRONG)
def test_emphasis_beside_punctuation_shows_no_stars(source):
    html = render_markdown(source)
    assert f"<strong>{STRONG[source]}</strong>" in html
    assert "*" not in html


@pytest.mark.parametrize("source", NOT_STRONG)
def test_stars_that_are_no_emphasis_stay(source):
    assert "<strong>" not in render_markdown(source)


def test_one_star_and_tildes_are_read_in_the_same_way():
    assert render_markdown("*注意：*先 ~~（旧）~~新") == "<p><em>注意：</em>先 <s>（旧）</s>新</p>\n"


A, B = "https://example.com/a", "https://example.com/b"
ADDRESSES = {
    "见 https://example.com/a。然后再看 https://example.com/b，就好": [A, B],
    "「https://example.com/a」": [A],
    "https://example.com/a（备用）": [A],
    "https://example.com/a、https://example.com/b！": [A, B],
    "https://example.com/a；": [A],
    "https://example.com/a…": [A],
    "“https://example.com/a”": [A],
    "https://example.com/a».": [A],
    "انظر https://example.com/a، ثم https://example.com/b؟": [A, B],
    "https://example.com/a। देखें": [A],
    "见https://example.com查看": ["https://example.com"],
    "https://example.com/a?q=1&r=2。好": ["https://example.com/a?q=1&amp;r=2"],
    "https://example.com/x_(y)。好": ["https://example.com/x_(y)"],
    "https://example.com/a(注，释)": [A],
    "https://zh.wikipedia.org/wiki/中国": ["https://zh.wikipedia.org/wiki/%E4%B8%AD%E5%9B%BD"],
    "https://example.com/Jean–Paul": ["https://example.com/Jean%E2%80%93Paul"],
    "https://пример.рф/а": ["https://xn--e1afmkfd.xn--p1ai/%D0%B0"],
    "https://example.com/a, then https://example.com/b.": [A, B],
}


@pytest.mark.parametrize("source", ADDRESSES)
def test_an_address_ends_where_its_sentence_goes_on(source):
    assert re.findall(r'href="([^"]+)"', render_markdown(source)) == ADDRESSES[source]


TAGS = {
    "a<br>b<BR/>c<br />d": "a<br>b<br>c<br>d",
    "H<sub>2</sub>O, x<sup>*n*</sup>": "H<sub>2</sub>O, x<sup><em>n</em></sup>",
    "<kbd>Ctrl</kbd>+<kbd>C</kbd>": "<kbd>Ctrl</kbd>+<kbd>C</kbd>",
    "<b>x</b> <i>y</i> <u>z</u> <mark>m</mark>": "<strong>x</strong> <em>y</em> <u>z</u> <mark>m</mark>",
    "<b class=x onclick='hit()'>y</b>": "<strong>y</strong>",
    "<code>a &lt; __b__</code>": "<code>a &lt; __b__</code>",
    "`<br>`": "<code>&lt;br&gt;</code>",
    "\\<br>": "&lt;br&gt;",
    "<sub>a": "&lt;sub&gt;a",
    "a</sup>": "a&lt;/sup&gt;",
    "**a <sub>b** c</sub>": "<strong>a &lt;sub&gt;b</strong> c&lt;/sub&gt;",
    "<sub><sup>a</sub></sup>": "&lt;sub&gt;<sup>a&lt;/sub&gt;</sup>",
    "<div>x</div> <script>": "&lt;div&gt;x&lt;/div&gt; &lt;script&gt;",
    "<ul><li>x</li></ul>": "&lt;ul&gt;&lt;li&gt;x&lt;/li&gt;&lt;/ul&gt;",
}


@pytest.mark.parametrize("source", TAGS)
def test_a_few_tags_mean_what_they_say_and_others_are_text(source):
    assert render_markdown(source) == f"<p>{TAGS[source]}</p>\n"


def test_cells_have_lines_and_lists():
    html = render_markdown("| a | b |\n|---|---|\n| x<br>y | <ul><li>1</li><li>2</li></ul> |")
    assert "<td>x<br>y</td>\n<td>• 1<br>• 2</td>" in html


DETAILS = {
    "<details>\n<summary>More *x*</summary>\n\nText\n\n- a\n</details>\n\nafter": (
        "<details>\n<summary>More <em>x</em></summary>\n<p>Text</p>\n<ul>\n<li>a</li>\n</ul>\n</details>\n"
        "<p>after</p>\n"
    ),
    "<details><summary>A</summary>text</details>": "<details>\n<summary>A</summary>\n<p>text</p>\n</details>\n",
    "<details>\n<summary>\n<h3>A</h3>\n</summary>\nb</details> c": (
        "<details>\n<summary>A</summary>\n<p>b</p>\n</details>\n<p>c</p>\n"
    ),
    "<details open ontoggle=hit()>\na\n</details>": "<details>\n<p>a</p>\n</details>\n",
    "> <details>\n> <summary>q</summary>\n> a\n> </details>": (
        '<blockquote dir="auto">\n<details>\n<summary>q</summary>\n<p>a</p>\n</details>\n</blockquote>\n'
    ),
    "<details>\n<details>\na\n</details>\nb\n</details>\nc": (
        "<details>\n<details>\n<p>a</p>\n</details>\n<p>b</p>\n</details>\n<p>c</p>\n"
    ),
    "<details>\nnever ends": '<details open="">\n<p>never ends</p>\n</details>\n',
    "</details>": "<p>&lt;/details&gt;</p>\n",
}


@pytest.mark.parametrize("source", DETAILS)
def test_details_hold_blocks(source):
    assert render_markdown(source) == DETAILS[source]


def test_details_do_not_end_in_code():
    html = render_markdown("<details>\n\n```html\n</details>\n```\n\nin\n</details>\nout")
    assert html.endswith("<p>in</p>\n</details>\n<p>out</p>\n")


PLAN = "# Plan\n\n```bash\nls\n```\n\nThe end\n"
NESTED = {
    f"```markdown\n{PLAN}```\n\nAfter it.": PLAN,
    f"~~~md\n{PLAN}~~~\nAfter it.": PLAN,
    f"````markdown\n{PLAN}````\nAfter it.": PLAN,
    f"```md\n{PLAN}{PLAN}```\nAfter it.": PLAN * 2,
    "```markdown\na\n\n```\nbare\n```\n\nb\n```\nAfter it.": "a\n\n```\nbare\n```\n\nb\n",
    "```markdown\n```md\n```js\nx\n```\n```\n```\nAfter it.": "```md\n```js\nx\n```\n```\n",
    "```markdown\n# Only\n```\nAfter it.": "# Only\n",
    "```markdown\n~~~sh\nls\n~~~\n```\nAfter it.": "~~~sh\nls\n~~~\n",
}


@pytest.mark.parametrize("source", NESTED)
def test_a_document_in_a_fence_keeps_its_own_fences(source):
    html = render_markdown(source)
    assert html.count("<pre") == 1
    assert re.sub(r"<[^>]+>", "", html.split("<code>")[1].split("</code>")[0]).replace("&gt;", ">") == NESTED[source]
    assert html.endswith("<p>After it.</p>\n")


def test_a_document_in_a_list_ends_with_its_item():
    html = render_markdown("1. a\n   ```markdown\n   ```sh\n   ls\n   ```\n   ```\n2. b")
    assert html.count("<pre") == 1
    assert html.endswith("<li>b</li>\n</ol>\n")


def test_code_in_another_language_ends_as_ever():
    assert render_markdown("```python\n'''\n```bash\nls\n```\ntext").endswith("<p>text</p>\n")


@pytest.mark.parametrize("text", [*STRONG, *ADDRESSES, *TAGS, *DETAILS, *NESTED])
def test_all_of_it_grows_to_the_same(text):
    draft = Draft()
    for char in f"First.\n\n{text}\n\nLast.":
        draft.add(char)
        draft.render_new()
    assert draft.finish("m") is False
    assert "".join(draft.blocks) == render_markdown(f"First.\n\n{text}\n\nLast.")


@pytest.mark.parametrize(
    ("source", "mended"), [("H<sub>2", "H<sub>2</sub>"), ("a <su", "a "), ("<b><i>x", "<b><i>x</i></b>")]
)
def test_a_tag_that_is_half_there_is_closed(source, mended):
    assert close_markup(source) == mended
