"""What documents and comments name is there: files, modules, permissions, make targets, settings, other documents."""

import re

import pytest
from django.apps import apps

from jarvis.lib.config import BASE, Config, variable_name

DOCUMENTS = sorted([*BASE.glob("*.md"), *BASE.glob("docs/*.md"), BASE / "benchmarks" / "README.md"])
CODE = sorted(path for app in BASE.glob("*/__init__.py") for path in app.parent.rglob("*.py"))
FOLDERS = ("accounts", "benchmarks", "chat", "embeddings", "inference", "jarvis", "templates", "tests")
NAMES = {path.name for folder in FOLDERS for path in (BASE / folder).rglob("*.*")}  # where a document names no folder
EXAMPLES = {"test_x.py"}
OUTSIDE = {"JARVIS_ENV_FILE", "JARVIS_SCREENSHOTS"}  # read from the environment without being settings

FILE = re.compile(r"(?<![\w/.:{*-])((?:[\w.-]+/)*[\w-]+\.(?:py|lua|sql|js|css|html|toml|po|mjs))\b(?!\.)")
FILE_IN_CODE = re.compile(r"`((?:[\w.-]+/)+[\w-]+\.(?:py|lua|sql|toml))`")
MODULE = re.compile(r"`((?:accounts|chat|embeddings|inference|jarvis|tests)(?:\.\w+)+)(?:\(\))?`")
TARGET = re.compile(r"(?:`|^ {4})make ([a-z][a-z-]+)", re.M)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
VARIABLE = re.compile(r"\bJARVIS_[A-Z_]+[A-Z]\b")


def name_of(path):
    return path.relative_to(BASE).as_posix()


def is_module(name):
    """Whether a dotted name is a module, or a word in one."""
    first, *parts = name.split(".")
    place = BASE / first
    while parts and (place / parts[0]).is_dir():
        place /= parts.pop(0)
    if parts and (place / f"{parts[0]}.py").exists():
        place = place / f"{parts.pop(0)}.py"
    source = place if place.is_file() else place / "__init__.py"
    return not parts or (source.exists() and re.search(rf"\b{parts[0]}\b", source.read_text()))


def permissions():
    models = [model._meta for model in apps.get_models()]
    return {f"{meta.app_label}.{verb}_{meta.model_name}" for meta in models for verb in meta.default_permissions}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_what_a_document_names_exists(path):
    text = path.read_text()
    files = set(FILE.findall(text)) - NAMES - EXAMPLES
    assert not {name for name in files if not (BASE / name).exists()}
    assert not {name for name in MODULE.findall(text) if not is_module(name)} - permissions()
    assert not {link for link in LINK.findall(text) if not (path.parent / link).exists()}
    assert not set(TARGET.findall(text)) - set(re.findall(r"^([a-z-]+):", (BASE / "Makefile").read_text(), re.M))
    assert not set(VARIABLE.findall(text)) - {variable_name(field) for field in Config.model_fields} - OUTSIDE


def test_what_comments_and_docstrings_name_exists():
    missing = set()
    for path in CODE:
        text = path.read_text()
        missing |= {f"{name_of(path)}: {name}" for name in FILE_IN_CODE.findall(text) if not (BASE / name).exists()}
        missing |= {f"{name_of(path)}: {name}" for name in MODULE.findall(text) if not is_module(name)}
    assert not missing
