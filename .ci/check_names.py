#!/usr/bin/env python3
"""Whether functions are named by what they do, and whether a class name stands for one class.

The rule: a function is an imperative verb with its object (`renew_leases`), or a noun for what it gives (`slot_name`).
A participle (`renewed`, `holding`) says neither, so it is for flags: functions that return `bool`, and properties. At
most one function in a hundred may break this. A name is one class in the whole project, apart from those that Django
wants in many places. Prints what it finds as `file:line: …`, and ends with 1 where that is too much.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOMS = ("accounts", "chat", "embeddings", "inference", "jarvis")
FUNCTIONS_FOR_EACH_PARTICIPLE = 100
REPEATABLE_CLASSES = {"Command", "Kind", "Media", "Meta", "Role", "Status", "Theme"}  # Django looks for these names
VERBS_AND_NOUNS = "bring embed feed need ping proceed ring seed string"  # that only end like participles
VALUES = "ceiling heading pricing setting settings spelling warning"  # nouns for what a function gives
ALLOWED_WORDS = frozenset(f"{VERBS_AND_NOUNS} {VALUES}".split())
IRREGULAR = """
begun been bent bound broken brought built bought caught chosen done drawn driven drunk eaten fallen felt found
forgotten frozen given gone gotten grown heard held hidden kept known laid left lent lost made meant paid ridden
rung risen said seen sent sewn shaken shown sold spent spoken spun stolen struck sought stood stuck sung sunk
sworn taken taught thought thrown told torn understood unknown unread woken worn written
"""  # but for those that are spelt like the imperative: come cut hit put read run set shut split
PROPERTIES = {"property", "cached_property", "setter", "display"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def python_files(root: Path) -> Iterator[Path]:
    for room in ROOMS:
        yield from (path for path in sorted((root / room).rglob("*.py")) if "migrations" not in path.parts)


def is_participle(name: str) -> bool:
    """Whether the first word of a function's name is a participle."""
    word = name.strip("_").split("_")[0].lower()
    if word in ALLOWED_WORDS or len(word) < 4:
        return False
    return word in IRREGULAR.split() or word.endswith(("ed", "ing"))


def is_flag(function: Function) -> bool:
    """Whether it is a property, or says yes or no."""
    if function.returns is not None and ast.unparse(function.returns).strip("'\"") in {"bool", "TypeGuard"}:
        return True
    names = (ast.unparse(one.func if isinstance(one, ast.Call) else one) for one in function.decorator_list)
    return any(name.split(".")[-1] in PROPERTIES for name in names)


def check(root: Path) -> tuple[list[str], int, list[str]]:
    """Functions named by a participle, how many functions there are, and class names that stand twice."""
    participles, functions, classes = list[str](), 0, defaultdict[str, list[str]](list)
    for path in python_files(root):
        for node in ast.walk(ast.parse(path.read_text())):
            place = f"{path.relative_to(root)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, Function):
                functions += 1
                if is_participle(node.name) and not is_flag(node):
                    participles.append(f"{place}: `{node.name}` is named by a participle")
            elif isinstance(node, ast.ClassDef) and node.name not in REPEATABLE_CLASSES:
                classes[node.name].append(place)
    twice = [f"{places[-1]}: class `{name}` is also at {places[0]}" for name, places in classes.items() if places[1:]]
    return participles, functions, twice


def main(root: Path) -> int:
    participles, functions, twice = check(root)
    print(*participles, *twice, sep="\n")
    print(
        f"{len(participles)} of {functions} functions are named by a participle; {len(twice)} class names are double."
    )
    return 1 if twice or len(participles) * FUNCTIONS_FOR_EACH_PARTICIPLE > functions else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
