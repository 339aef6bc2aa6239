"""What stands in a text is found as it stands there, in every script, and marked; slips are forgiven."""

import pytest

from chat.models import Conversation
from chat.search import search_conversations

pytestmark = pytest.mark.django_db

# A text, and searches that each find it. A bar stands between searches.
FOUND = [
    # Names of files, paths, versions, numbers
    (
        "Edit settings.py for Python 3.11.4, then read /var/log/nginx/error.log; ticket OPS-4711 "
        "of 2026-11-28 asks for GPT-4.",
        "settings.py|SETTINGS.PY|settings|3.11.4|3.11|Python 3.11.4|/var/log/nginx/error.log|"
        "error.log|nginx/error.log|"
        "var/log|/var/log/|OPS-4711|ops-4711|OPS4711|4711|2026-11-28|2026-11|GPT-4|gpt4|GPT 4|gpt|"
        "settings py|"
        '"settings.py for Python"|"read /var/log/nginx/error.log"|settings.p|error.lo|2026-1',
    ),
    (
        "Write to ana.lopez+work@example.co.uk or see "
        "https://docs.example.com/en/v2.0-rc1/index.html?tab=api&x=1#install-it",
        "ana.lopez+work@example.co.uk|ana.lopez|lopez|example.co.uk|@example.co.uk|"
        "https://docs.example.com/|"
        "docs.example.com/en|"
        "https://docs.example.com/en/v2.0-rc1/index.html?tab=api&x=1#install-it|v2.0-rc1|v2.0|2.0|"
        "rc1|index.html|tab=api|#install-it|install-it",
    ),
    (
        "Bind 192.168.0.17:8080 and fe80::1ff:fe23:4567:890a, mac 00:1B:44:11:3A:B7, id "
        "550e8400-e29b-41d4-a716-446655440000.",
        "192.168.0.17|192.168.0|192.168.0.17:8080|8080|fe80::1ff:fe23:4567:890a|00:1B:44:11:3A:B7|"
        "550e8400-e29b-41d4-a716-446655440000|550e8400|446655440000|e29b-41d4",
    ),
    (
        "It cost $1,234.56 or 1.234,56 €, 10,000 people, 50% off, +34 600 123 456, at 10:30, §5, "
        "ISBN 978-3-16-148410-0, 3/4.",
        "1,234.56|$1,234.56|1.234,56|€|10,000|10000|10,00|50%|50|+34 600 123 456|600 123 456|10:30|"
        "§5|978-3-16-148410-0|3/4",
    ),
    (
        "def getUserName(self): return self.user_name_cache[MAX_SIZE] // XMLHttpRequest, iPhone15, "
        "UTF-8, sha256sum, std::vector",
        "getUserName|getusername|GETUSERNAME|userName|user_name|user_name_cache|name_cache|user "
        "name|username|cache|MAX_SIZE|"
        "max size|XMLHttpRequest|HttpRequest|xmlhttp|iPhone15|iphone|iPhone 15|UTF-8|utf8|"
        "sha256sum|sha256|std::vector|self.user_name_cache",
    ),
    (
        "We use C++17, C#, F#, .NET, node.js, e-mail, Wi-Fi, a.out, 3D, COVID-19, R&D, AT&T, "
        "TCP/IP, O'Brien, rock'n'roll, [1]",
        "C++|c++17|C#|F#|.NET|node.js|nodejs|e-mail|email|Wi-Fi|wifi|a.out|3D|COVID-19|covid|R&D|"
        "AT&T|TCP/IP|O'Brien|"
        "obrien|rock'n'roll|[1]|(C#)",
    ),
    (
        "Line 42: TypeError: 'NoneType' object is not subscriptable "
        "(app/views/Home_Page.tsx:118:7) — see #1234, @ana, CVE-2024-3094",
        "TypeError|nonetype|'NoneType' object|Home_Page.tsx|home_page.tsx|app/views/home_page.tsx|"
        "Home_Page.tsx:118|118:7|"
        "#1234|1234|@ana|CVE-2024-3094|cve-2024|3094|views/Home_Page",
    ),
    ("C:\\Users\\Ana\\Documents\\report_final(2).docx and ~/.ssh/id_ed25519.pub",
     "C:\\Users\\Ana|Users\\Ana\\Documents|report_final(2).docx|report_final|.ssh|"
     "~/.ssh/id_ed25519.pub|id_ed25519|ed25519"),
    # Without blanks between words, or with endings joined on
    ("昨日の会議で病院の予約システムについて話しました。", "会議|病院|予約システム|予約|システム|"
     "昨日|昨日の会議|話しました|話"),
    ("我们讨论了数据库连接池的配置问题，使用Python3.11和GPT-4。",
     "数据库|配置|连接池|数据库连接池|问题|Python|Python3.11|3.11|GPT-4|池|配置问题，使用|我们 配置"),
    ("第3章：繁體中文的測試「引號」與ＡＢＣ１２３", "第3章|第3|繁體|中文|測試|引號|ABC123|ａｂｃ|123"),
    ("データベースのバックアップ、ﾊﾝｶｸｶﾀｶﾅ、サーバー", "データベース|バックアップ|ﾃﾞｰﾀ|ハンカク|"
     "ハンカクカタカナ|ｶﾀｶﾅ|サーバー"),
    ("ฉันชอบกินข้าวผัดที่กรุงเทพ ราคา ๕๐ บาท", "กินข้าว|ข้าวผัด|กรุงเทพ|ชอบ|ราคา|50|ข้าว"),
    ("मुझे किताबें पढ़ना पसंद है और ज़रूरी काम १२३", "किताब|किताबें|पढ़ना|पसंद|जरूरी|ज़रूरी|काम|123|है"),
    ("데이터베이스를 서버에서 백업하고 비밀번호를 변경했습니다", "데이터베이스|데이터|서버|"
     "서버에서|백업|비밀번호|비밀번호를|변경|베이스"),
    ("ការរៀនភាសាខ្មែរ និង ພາສາລາວ နှင့် မြန်မာစာ བོད་ཡིག", "ភាសា|ខ្មែរ|ພາສາ|မြန်မာ|བོད"),
    ("தமிழ் மொழியில் எழுதுதல், বাংলা ভাষায় লেখা, తెలుగు", "தமிழ்|மொழி|বাংলা|ভাষা|తెలుగు"),
    # Accents, composed and taken apart; ligatures, widths, cases
    ("Zażółć gęślą jaźń w Łodzi", "gesla|lodzi|Łodzi|zazolc|jazn|GĘŚLĄ"),
    ("Příliš žluťoučký kůň úpěl ďábelské ódy", "zlutoucky|kun|prilis|dabelske|ody|žluťoučký"),
    ("Tôi muốn đổi mật khẩu của máy chủ", "mat khau|doi|may chu|mật khẩu|muon|đổi"),
    ("Cafe\u0301 cre\u0300me, nai\u0308ve, Ångström, Straße, Œuvre, Ærø, İstanbul, ılık, Þór, Đorđe",
     "café|cafe|crème|creme|naive|naïve|angstrom|strasse|STRASSE|oeuvre|œuvre|aero|istanbul|"
     "ISTANBUL|ilik|thor|dorde"),
    ("The ﬁrst eﬀect of ｆｕｌｌ ｗｉｄｔｈ, x², ①, ½, ℃, Ⅷ, №5, ™", "first|effect|full width|ﬁrst|"
     "x²|x2|①|1|½|℃|viii|№5|tm"),
    ("Быстрая лиса, ёжик и йогурт; Ελλάδα, Οδυσσεύς, ὕδωρ; Ґанок", "быстрая|ежик|ёжик|ЙОГУРТ|"
     "ελλαδα|ΕΛΛΆΔΑ|ΟΔΥΣΣΕΥΣ|υδωρ|ґанок"),
    ("السَّلامُ عَلَيْكُم، أهلاً وسهلاً بكم في ٢٠٢٦؛ کتاب", "السلام|عليكم|اهلا|وسهلا|2026|كتاب|کتاب"),
    ("שָׁלוֹם עולם, בְּרֵאשִׁית", "שלום|עולם|בראשית"),
    ("co\u00adoperate and zero\u200bwidth and می\u200cخواهم", "cooperate|zerowidth|میخواهم|می\u200cخواهم"),
    # Dashes, signs, emoji
    ("Start it with --gpu-memory-utilization=0.9 and -rf as the last one; wsl --shutdown; a -> b; "
     "x != y; ∑ ≠ √",
     "--gpu-memory-utilization|--gpu-memory-utilization=0.9|--shutdown|wsl --shutdown|gpu-memory|"
     "0.9|-rf|∑|≠|"
     "--gpu-memory-util|—shutdown"),
    ("Great job 🎉🎉 family 👨‍👩‍👧 love ❤️ thumbs 👍🏽 flag 🇪🇸 key 1️⃣ → done ✓ ☕", "🎉|🎉🎉|"
     "👨‍👩‍👧|❤️|❤|👍|👍🏿|🇪🇸|1️⃣|→|✓|☕|job 🎉|☕️"),
]  # fmt: skip

MISSED = [  # a search, and a text that it does not find
    ("3.11.4", "3.11 and 11.4"),
    ("3.11", "311"),
    ("C++", "C is old"),
    ("utilization -gpu", "gpu utilization"),
    ('"error log"', "log error"),
    ("数据池", "数据库 连接池"),
    ("🎉", "☕"),
    ("OPS-4711", "OPS-4712"),
]


@pytest.fixture
def write(alice):
    def write(text):
        made = Conversation.objects.create(owner=alice)
        made.add_message("user", text)
        return made

    return write


def test_what_stands_there_is_found_and_marked(write, alice):
    written = {text: write(text) for text, _ in FOUND}
    wrong = []
    for text, searches in FOUND:
        for search in searches.split("|"):
            found = [one for one in search_conversations(alice.pk, search) if one.conversation == written[text]]
            marked = found and any(part.hit for part in found[0].snippet)
            if not found or found[0].is_close or not marked:
                wrong.append((search, bool(found), found and found[0].is_close, marked))
    assert wrong == []
    assert sum(len(searches.split("|")) for _, searches in FOUND) > 250


@pytest.mark.parametrize(("search", "text"), MISSED)
def test_what_does_not_stand_there_is_not(write, alice, search, text):
    write(text)
    assert [one for one in search_conversations(alice.pk, search) if not one.is_close] == []


SLIPS = [
    ("lighthuose", "We spoke of a lighthouse"), ("recieve", "I will receive "
     "it"), ("kubrenetes", "Kubernetes it is"),
    ("contrsaeña", "La contraseña nueva"), ("databse backup", "the database "
     "backup"), ("enviroment", "environment"),
    ("lodzz", "w Łodzi"), ("пограмма", "новая программа"), ("conversacoin", "una conversación larga"),
    ("서버에게", "서버는 켜져"), ("会议室", "我们的会议很长"), ("postgers.conf", "edit postgres conf now"),
]  # fmt: skip


@pytest.mark.parametrize(("search", "text"), SLIPS)
def test_slips_are_forgiven_where_nothing_has_what_was_written(write, alice, search, text):
    made, _ = write(text), write("something else entirely 완전히 다른")
    (one,) = search_conversations(alice.pk, search)
    assert (one.conversation, one.is_close) == (made, True)
    assert any(part.hit for part in one.snippet)


def test_only_ones_own_words_are_guessed(write, alice, bob):
    write("a lighthouse")
    assert search_conversations(bob.pk, "lighthuose") == []


def test_a_hit_far_down_in_a_long_text_is_shown_and_marked(write, alice):
    write("filler words, many of them. " * 900 + "Then came a.out and the кафе, and skies. " + "more filler. " * 900)
    for search, shown in (("a.out", "a.out"), ("кафе", "кафе"), ("sky", "skies"), ("skies кафе", "кафе")):
        (one,) = search_conversations(alice.pk, search)
        assert shown in [part.text for part in one.snippet if part.hit], search
        assert sum(len(part.text) for part in one.snippet) < 250
