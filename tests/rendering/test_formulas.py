"""Formulas: valid MathML, commands of packages, colours, what is copied, and what is money."""

from html.parser import HTMLParser

import pytest
from django.contrib.staticfiles import finders

from chat.rendering.markdown import render_markdown
from chat.rendering.mathml import CHILDREN, TONES, find_tone, render_formula
from chat.rendering.tex import expand_commands

SHAPES = {
    r"\begin{pmatrix}1&2\end{pmatrix}^{-1}": "<msup><mrow><mo>(</mo><mtable>",
    r"A=\begin{bmatrix}1\end{bmatrix}^T_2": "<msubsup><mrow><mo>[</mo><mtable>",
    r"\begin{vmatrix}a\end{vmatrix}^2": "<msup><mrow><mo>|</mo><mtable>",
    r"\binom{n}{k}^2": "<msup><mrow><mo ",
    r"\sin^2 x": '<msup><mi>sin</mi><mn>2</mn></msup><mspace width="0.167em" /><mi>x</mi>',
    r"\mathrm{d}x": "<mtext>d</mtext><mi>x</mi>",
    r"5\,\mathrm{kg}": "<mtext>kg</mtext>",
    r"x_{\mathrm{max}}": "<mtext>max</mtext>",
    r"\operatorname*{arg\,max}_x f": '<munder><mo movablelimits="true">arg',
    r"\argmax_x f": "<munder><mo movablelimits",
    r"\mathscr{F}": "<mi>ℱ</mi>",
    r"\boldsymbol{x\alpha}": "<mi>𝒙</mi><mi>𝜶</mi>",
    r"\cancel{x+1}": '<menclose notation="updiagonalstrike">',
    r"\color{red}{x}": '<mstyle class="tone-red">',
    r"\textcolor{#00f}{x}": '<mstyle class="tone-blue">',
    r"\abs{x}": '<mo stretchy="true" fence="true" form="prefix">|</mo>',
    r"\pdv{f}{x}": "<mfrac><mrow><mo>∂</mo><mi>f</mi></mrow>",
    r"a \not= b": "<mo>≠</mo>",
    r"\ce{H2O}": "<msub><mtext>H</mtext><mrow><mn>2</mn></mrow></msub><mtext>O</mtext>",
    r"\ce{N2 + 3H2 <=> 2NH3}": "<mo>⇌</mo>",
    r"\SI{3}{\kilo\metre\per\hour}": "<mtext>km</mtext><mo>/</mo><mtext>h</mtext>",
}


@pytest.mark.parametrize("source", SHAPES)
def test_a_formula_has_its_shape(source):
    assert SHAPES[source] in render_formula(source, block=False)


EXPANDED = {
    r"\ce{SO4^2-}": r"{\text{S}\text{O}_{4}^{2-}}",
    r"\ce{Na+ + Cl- -> NaCl v}": r"{\text{Na}^{+} + \text{Cl}^{-}  \rightarrow   \text{Na}\text{Cl} \downarrow }",
    r"\ce{CO2 ^}": r"{\text{C}\text{O}_{2} \uparrow }",
    r"\ce{^{227}_{90}Th}": r"{{}^{227}_{90}\text{Th}}",
    r"\ce{Ca(OH)2 (aq)}": r"{\text{Ca}(\text{O}\text{H})_{2} \text{(aq)}}",
    r"\ce{A ->[H2O] B}": r"{\text{A}  \overset{{\text{H}_{2}\text{O}}}{\rightarrow }  \text{B}}",
    r"\ce{CuSO4.5H2O}": r"{\text{Cu}\text{S}\text{O}_{4}\cdot 5\,\text{H}_{2}\text{O}}",
    r"\ce{[Cu(NH3)4]^2+}": r"{[\text{Cu}(\text{N}\text{H}_{3})_{4}]^{2+}}",
    r"\ce{1/2 O2}": r"{1/2\, \text{O}_{2}}",
    r"\ce{HC#CH}": r"{\text{H}\text{C}{\equiv}\text{C}\text{H}}",
    r"\SI{3.0e8}{m/s}": r"3.0 \times 10^{8}\,\text{m}/\text{s}",
    r"\si{kg.m^2.s^{-2}}": r"\text{kg}\cdot \text{m}^{2}\cdot \text{s}^{-2}",
    r"\qty{20}{\degreeCelsius}": r"20\,\text{°C}",
    r"\qty(x)": "(x)",
    r"\num{1,234.5e-3}": r"1{,}234.5 \times 10^{-3}",
    r"\mathrm d x": r"\text{d} x",
    r"\mathrm{x_1}": r"\mathrm{x_1}",
    r"\textcolor{red}{x+\mathrm{kg}}": r"{\color{red}{x+\text{kg}}}",
    r"a \\abs": r"a \\abs",
    r"\abs{x": r"\abs{x",
    r"\SI{3}": r"\SI{3}",
}


@pytest.mark.parametrize("source", EXPANDED)
def test_commands_of_packages_are_expanded(source):
    assert expand_commands(source) == EXPANDED[source]


class Counter(HTMLParser):
    """Complains of elements that have not as many children as they must."""

    def __init__(self, html):
        super().__init__()
        self.path: list = [["", 0]]
        self.faults = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.path[-1][1] += 1
        self.path.append([tag, 0])

    def handle_endtag(self, tag):
        name, count = self.path.pop()
        if CHILDREN.get(name, count) != count:
            self.faults.append((name, count))


FENCED = ["pmatrix", "bmatrix", "Bmatrix", "vmatrix", "Vmatrix", "cases", "matrix", "smallmatrix", "aligned"]


@pytest.mark.parametrize("script", ["^{-1}", "_1", "_1^T", "'", "^T_1"])
def test_scripts_after_environments_leave_valid_mathml(script):
    for name in FENCED:
        html = render_formula(f"\\begin{{{name}}}1&2\\\\3&4\\end{{{name}}}{script}", block=True)
        assert "<math" in html
        assert Counter(html).faults == []
    assert Counter("<math><msup><mi>x</mi></msup></math>").faults


def test_every_formula_says_what_it_was_written_as():
    html = render_markdown('$a < b \\text{"}$ and\n\n$$\nx\n$$')
    assert 'alttext="a &lt; b \\text{&quot;}"' in html or 'alttext="a < b \\text{&quot;}"' in html
    assert '<math display="block" alttext="x">' in html


def test_a_long_formula_in_a_line_scrolls_in_itself():
    assert render_markdown(f"See ${'a+' * 20}b$.").startswith('<p>See <span class="long" tabindex="0"><math')
    assert "long" not in render_markdown("See $a+b$.")


@pytest.mark.parametrize(
    ("colour", "tone"),
    [
        ("red", "red"),
        ("DarkBlue", "blue"),
        ("ForestGreen", "green"),
        ("#f00", "red"),
        ("#888888", "gray"),
        ("x", "gray"),
    ],
)
def test_colours_are_those_of_the_page(colour, tone):
    assert find_tone(colour) == tone
    assert tone in TONES


MONEY = [
    "$5-$10",
    "**$5-$10**",
    "$5–$10/month",
    "between $5 and 10$",
    "$5k-$10k",
    "$1,000-$",
    "$5/$10",
    "from $100 to $200",
    "$3 per user$",
    "($5)-($10)",
    "$5+$6=$11",
    "$10/mo, $20/mo, or free$",
]
NUMBERS = [
    "$5x$",
    "$2 \\pi r$",
    "$3 + 4$",
    "$5$",
    "$2n + 1$",
    "$10^6$",
    "$5 \\text{ apples}$",
    "$1, 2, \\dots, n$",
    "$2 a b$",
    "$100\\%$",
]


@pytest.mark.parametrize("source", MONEY)
def test_sums_of_money_are_no_formulas(source):
    assert "<math" not in render_markdown(source)


@pytest.mark.parametrize("source", NUMBERS)
def test_formulas_that_begin_with_a_number_are_formulas(source):
    assert "<math" in render_markdown(source)


def test_the_font_of_formulas_is_small_and_has_its_license_beside_it():
    with open(finders.find("chat/fonts/math.woff2"), "rb") as file:
        font = file.read()
    assert font.startswith(b"wOF2")
    assert len(font) < 220_000
    with open(finders.find("chat/fonts/LICENSE.txt")) as file:
        assert "SIL Open Font License" in file.read()
