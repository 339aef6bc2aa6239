"""`make bench-search`: what a search costs, and what it takes to make old messages findable.

Fills a Postgres of its own (the embedded one, on a socket in a temporary folder, or the one that DATABASE_URL names,
once) with made-up conversations of ten people, indexes them as Celery does, and searches them as the page does, in one
process. CPU is that of this process and of its Postgres backend together: what it would take on a machine that does
nothing else.

    python benchmarks/search.py [--messages 200000] [--searches 300]
"""

import argparse
import pathlib
import random
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from tests.support import services

SYLLABLES = "ba re ti lo mun sa ke dor vi pal en ca tri go us mi ran fel os ju".split()
COMMON = (
    "the a of to and in that it is for on with as at by this from or an be we you please can how what de la que el en "
    "los se del las un por con una su para es al lo como más pero sus le ya o este sí porque esta entre cuando muy"
).split()
HAN = "数据库连接池配置问题服务器我们讨论会议时间明天系统错误文件用户密码备份测试"
PEOPLE = 10
BATCH = 5000


def make_vocabulary(chance: random.Random) -> list[str]:
    return ["".join(chance.choices(SYLLABLES, k=chance.randint(2, 4))) for _ in range(40_000)]


def make_text(chance: random.Random, vocabulary: list[str], number: int) -> str:
    """Some 120 words, as often as in a language, with what people paste: paths, versions, numbers, other scripts."""
    words = []
    for _ in range(chance.randint(20, 220)):
        if chance.random() < 0.45:
            words.append(chance.choice(COMMON))
        else:
            words.append(vocabulary[min(int(chance.paretovariate(0.6)), len(vocabulary) - 1)])
    words.append(f"src/{chance.choice(vocabulary)}/{chance.choice(vocabulary)}_{number % 997}.py")
    words.append(f"v{number % 9}.{number % 31}.{number % 7}, OPS-{number % 10_000}, 2026-{number % 12 + 1:02}-28.")
    if number % 20 == 0:
        words.append("".join(chance.choices(HAN, k=60)))
    chance.shuffle(words)
    return " ".join(words)


def fill(messages: int, vocabulary: list[str], chance: random.Random) -> list[int]:
    from django.contrib.auth.models import User

    from chat.models import Conversation, Message

    owners = [User.objects.create(username=f"person{n}") for n in range(PEOPLE)]
    made = 0
    while made < messages:
        conversations = [
            Conversation(owner=chance.choice(owners), title=" ".join(chance.sample(vocabulary, 4)))
            for _ in range(BATCH // 10)
        ]
        Conversation.objects.bulk_create(conversations)
        rows = [
            Message(
                conversation=conversations[n // 10],
                role="assistant" if n % 2 else "user",
                text=make_text(chance, vocabulary, made + n),
            )
            for n in range(BATCH)
        ]
        Message.objects.bulk_create(rows, batch_size=1000)
        made += BATCH
    return [owner.pk for owner in owners]


def list_searches(chance: random.Random, vocabulary: list[str], number: int) -> dict[str, str]:
    """One of each kind."""
    word = vocabulary[min(int(chance.paretovariate(0.6)), len(vocabulary) - 1)]
    rare = vocabulary[chance.randrange(5000, len(vocabulary))]
    slip = rare[:2] + rare[3:4] + rare[2:3] + rare[4:]
    other = chance.choice(vocabulary[:200])
    start = chance.randrange(len(HAN) - 4)
    return {
        "a word": word + " ",
        "a rare word": rare + " ",
        "two words": f"{word} {other} ",
        "a word in every second message": chance.choice(vocabulary[:3]) + " ",
        "an unfinished word": rare[:5],
        "a phrase": f'"{chance.choice(COMMON)} {other}"',
        "a file name": f"{rare}_{number % 997}.py",
        "a version": f"{number % 9}.{number % 31}.{number % 7}",
        "a ticket": f"OPS-{number % 10_000}",
        "without": f"{other} -{word}",
        "Han": HAN[start : start + 3],
        "a slip": slip,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--searches", type=int, default=300)
    options = parser.parse_args()
    services.start()
    set_up_django()
    from django.contrib.auth.models import User
    from django.db import connection

    from chat.search import search_conversations
    from chat.search.index import index_new_texts

    chance = random.Random(1)
    vocabulary = make_vocabulary(chance)
    owners = list(User.objects.values_list("id", flat=True)) or fill(options.messages, vocabulary, chance)
    began, ours, theirs = time.monotonic(), time.process_time(), backend_seconds()
    if count := index_new_texts(seconds=3600):
        ours, theirs = time.process_time() - ours, backend_seconds() - theirs
        print(
            f"indexed {count} texts in {time.monotonic() - began:.0f} s; CPU: {ours:.0f} s here, {theirs:.0f} s there"
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE chat_searchentry")
        for name in ("chat_message", "chat_searchentry", "words_of_entries", "chat_searchword"):
            cursor.execute("SELECT pg_size_pretty(pg_total_relation_size(%s::regclass))", [name])
            print(f"{name}: {cursor.fetchone()[0]}")
    took: dict[str, list[float]] = {}
    used: dict[str, list[float]] = {}
    for number in range(max(1, options.searches // 12)):
        for kind, text in list_searches(chance, vocabulary, number).items():
            owner = chance.choice(owners)
            began, cpu = time.perf_counter(), time.process_time() + backend_seconds()
            search_conversations(owner, text)
            took.setdefault(kind, []).append((time.perf_counter() - began) * 1000)
            used.setdefault(kind, []).append((time.process_time() + backend_seconds() - cpu) * 1000)
    for name, table in (("elapsed", took), ("CPU", used)):
        everything = [one for some in table.values() for one in some]
        for kind, some in {**table, "all": everything}.items():
            cuts = statistics.quantiles(some, n=20, method="inclusive")
            figures = f"p50 {statistics.median(some):6.1f} ms   p95 {cuts[18]:6.1f} ms   max {max(some):6.1f} ms"
            print(f"{name:8}{kind:32}{figures}")


def backend_seconds() -> float:
    """CPU time of the Postgres process that serves us."""
    from django.db import connection

    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def set_up_django() -> None:
    import os

    os.environ["DJANGO_SETTINGS_MODULE"] = "jarvis.settings"
    os.environ["JARVIS_LOG_LEVEL"] = "WARNING"
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


if __name__ == "__main__":
    main()
