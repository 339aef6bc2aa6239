"""What becomes of Markdown."""

import re

import pytest

from chat.rendering.code import CLASSES, LANGUAGES, find_lexer
from chat.rendering.markdown import MAX_MARKDOWN_CHARS, render_markdown, render_plain

BLOCKS = {
    "# One\n\n###### Six": "<h3>One</h3>\n<h6>Six</h6>\n",
    "a\nb": "<p>a<br>\nb</p>\n",
    "**b** *i* ~~s~~ `c`": "<p><strong>b</strong> <em>i</em> <s>s</s> <code>c</code></p>\n",
    "3. a\n4. b": '<ol start="3" dir="auto">\n<li>a</li>\n<li>b</li>\n</ol>\n',
    "- [x] a\n- [ ] b": (
        '<ul dir="auto">\n<li class="todo"><span class="task ticked">☑</span> a</li>\n'
        '<li class="todo"><span class="task">☐</span> b</li>\n</ul>\n'
    ),
    "> a": '<blockquote dir="auto">\n<p>a</p>\n</blockquote>\n',
    "---": "<hr>\n",
    "<p>x</p> &amp; <!-- c -->": "<p>&lt;p&gt;x&lt;/p&gt; &amp; &lt;!-- c --&gt;</p>\n",
    "setup.py and a@b.example": "<p>setup.py and a@b.example</p>\n",
    "": "",
    " \n\n": "",
}


@pytest.mark.parametrize("source", BLOCKS)
def test_markdown_becomes_html(source):
    assert render_markdown(source) == BLOCKS[source]


def test_a_table_has_its_alignment_in_classes_and_scrolls_in_a_box_of_its_own():
    html = render_markdown("| a | b |\n| :- | -: |\n| 1 | 2 |")
    assert html.startswith('<div class="wide" tabindex="0"><table dir="auto">')
    assert '<th class="left">a</th>\n<th class="right">b</th>' in html
    assert '<td class="right">2</td>' in html
    assert "style" not in html


def test_code_has_its_language_a_place_for_a_button_and_colours():
    html = render_markdown('```python\ndef f(): return "<b>"  # why\n```')
    assert html.startswith(
        '<div class="code"><div class="head"><span class="lang">python</span></div><pre tabindex="0">'
    )
    assert '<span class="k">def</span> <span class="f">f</span>' in html
    assert '<span class="s">"&lt;b&gt;"</span>' in html
    assert '<span class="c"># why</span>' in html


def test_code_in_an_unknown_language_is_plain_and_keeps_its_name():
    html = render_markdown("```Brainfuck++ x=y\n+[->]\n```")
    assert '<span class="lang">Brainfuck++</span>' in html
    assert "<code>+[-&gt;]\n</code>" in html


@pytest.mark.parametrize("name", sorted(LANGUAGES))
def test_every_language_has_a_lexer(name):
    assert find_lexer(name) is not None


def test_every_class_of_code_has_its_colour():
    from django.contrib.staticfiles import finders

    with open(finders.find("chat/markdown.css")) as file:
        style = file.read()
    for name in CLASSES:
        assert f".rendered .code .{name} {{" in style


FORMULAS = [
    "$x_1$",
    "$$x_1$$",
    "\\(x_1\\)",
    "\\[x_1\\]",
    "a $x_1$ b",
    "a $$x_1$$, b",
    "$$\nx_1\n$$",
    "a\n\\[\nx_1\n\\]\nb",
    "- a\n  \\[\n  x_1\n  \\]",
    "> $$\n> x_1\n> $$",
    "| $x_1$ |\n| - |",
    "**$x_1$**",
    "($x_1$)",
    "$x_1$-axis",
]


@pytest.mark.parametrize("source", FORMULAS)
def test_formulas_are_found(source):
    html = render_markdown(source)
    assert "<msub><mi>x</mi><mn>1</mn></msub>" in html
    assert not re.search(r"[$\\]", html)


def test_a_formula_in_a_paragraph_of_its_own_is_a_block_and_may_have_lines_that_look_like_a_list():
    html = render_markdown("$$\na\n+ b\n- c\n$$")
    assert html.startswith('<div class="formula" tabindex="0"><math display="block" alttext="')
    assert "<ul" not in html


@pytest.mark.parametrize(
    "source",
    [
        "It costs $5 and $10.",
        "$ x $",
        "$5-$10",
        "US$5 and A$6",
        "`$x$`",
        "a $x",
        "\\$x$",
        "$$",
        "$",
        "\\(",
        "\\(x",
        "$$x",
    ],
)
def test_dollars_that_are_money_are_left_alone(source):
    assert "<math" not in render_markdown(source)


@pytest.mark.parametrize(
    "source",
    [
        "\\frac",
        "\\frac{a",
        "a}",
        "x^",
        "x^2^3",
        "\\left(",
        "\\right)",
        "\\begin{matrix}",
        "\\newcommand{\\a}{b}\\a",
        "\\def\\a{b}\\a",
        "{" * 50 + "}" * 50,
        "x" * 4000,
        "\\hat" * 700,
        "\\begin{cases}\\end{array}",
    ],
)
def test_a_formula_that_cannot_be_read_is_shown_as_it_was_written(source):
    html = render_markdown(f"\\[{source}\\]")
    assert "<math" not in html
    assert source.replace("\\", "")[:6] in html.replace("\\", "")


@pytest.mark.parametrize(
    ("source", "shape"),
    [
        ("\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}", '<mtable displaystyle="true"'),
        ("\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}", "<mtr>"),
        ("\\sum_{i=1}^n i", "<munderover><mo>∑</mo><mrow>"),
        ("\\lim_{x \\to 0} x", '<munder><mo movablelimits="true">lim</mo>'),
        ("\\log n", '<mi>log</mi><mspace width="0.167em"></mspace><mi>n</mi>'),
        ("\\text{if } a < b", "<mtext>if&nbsp;</mtext><mi>a</mi><mo>&lt;</mo>"),
        ("\\mathbb{R}", "<mi>ℝ</mi>"),
        ("\\color{red}{x}", "<mi>x</mi>"),
    ],
)
def test_common_formulas_have_their_shape(source, shape):
    assert shape in render_markdown(f"$${source}$$")


def test_what_would_leave_its_place_on_the_page_stays():
    html = render_markdown("$\\hspace{-90em}a \\hspace{1em}b \\rule{1em}{9000em} \\raise{500px}{x}$")
    assert '<mspace width="1em">' in html
    html = re.sub(r'alttext="[^"]*"', "", html)
    assert "90" not in html
    assert "500" not in html


def test_footnotes_stand_at_the_end_under_names_of_their_message():
    html = render_markdown("a[^1] b[^1]\n\n[^1]: Note *x*", scope="m7")
    assert 'href="#fn-m7-1" id="fnref-m7-1"' in html
    assert 'id="fnref-m7-1:1"' in html
    assert '<section class="footnotes"><ol>\n<li id="fn-m7-1"' in html
    assert 'href="#fnref-m7-1"' in html
    assert len(re.findall(r' id="([^"]+)"', html)) == 3


def test_links_open_apart_and_tell_nothing_of_this_page():
    html = render_markdown("[a](https://example.com/ 'title') https://example.com/b <mailto:a@example.com>")
    assert html.count('target="_blank" rel="noopener noreferrer nofollow"') == 3
    assert 'title="title"' in html


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/pixel.png",
        "//evil.example/x.png",
        "http://evil.example/x",
        "/admin/logout/",
        "/static/../admin/",
        "x.png",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:text/html;base64,PHN2Zz4=",
        "\\\\evil.example\\x",
        "blob:https://x",
    ],
)
def test_a_picture_from_elsewhere_is_a_link_and_is_not_loaded(address):
    html = render_markdown(f"![the plan]({address})")
    assert "<img" not in html
    assert "src" not in html
    assert "the plan" in html


def test_pictures_of_ones_own_and_in_the_text_itself_are_shown():
    for address in ("/static/chat/icon.svg", "data:image/png;base64,iVBORw0KGgo="):
        assert render_markdown(f"![words]({address})") == f'<p><img src="{address}" alt="words" loading="lazy"></p>\n'


def test_a_text_without_end_is_shown_as_it_is():
    text = "*a* <b>\n" * (MAX_MARKDOWN_CHARS // 8 + 1)
    assert render_markdown(text) == render_plain(text)
    assert render_plain("*a* <b>") == '<pre class="plain">*a* &lt;b&gt;</pre>'


def test_lists_quotes_and_tables_run_as_their_words_do_and_what_is_in_them_with_them():
    html = render_markdown("- א\n  - ב\n\n> א\n\n1. א\n\n| א |\n| - |\n| ב |\n\nא")
    assert re.findall(r"<(\w+)[^>]* dir=\"auto\"", html) == ["ul", "blockquote", "ol", "table"]
    assert html.count("<ul") == 2  # the inner one has its direction of the outer one
