"""Log files are kept short while a child writes to them."""

import os
from pathlib import Path

from jarvis.lib.log_file import LogFile


def test_a_long_log_moves_to_number_one_and_the_writer_goes_on(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log" / "web.log", limit=10, kept=2)
    writer = log.open()
    for text in (b"first line\n", b"second line\n", b"third line\n"):
        os.write(writer, text)
        assert log.rotate()
    os.write(writer, b"end\n")
    os.close(writer)
    assert not log.rotate()
    assert log.path.read_text() == "end\n"
    assert (tmp_path / "log" / "web.log.1").read_text() == "third line\n"
    assert (tmp_path / "log" / "web.log.2").read_text() == "second line\n"
    assert not (tmp_path / "log" / "web.log.3").exists()


def test_the_last_line_is_the_last_that_says_something(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "web.log")
    assert log.last_line() == ""
    log.path.write_text("one\ntwo \n\n")
    assert log.last_line() == "two"


def test_logs_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "web.log")
    os.close(log.open())
    assert log.path.stat().st_mode & 0o077 == 0


def test_each_new_log_keeps_the_last_ones_and_drops_the_oldest(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "engine.log", kept=3)
    for life in range(5):
        log.start_new()
        log.path.write_text(str(life))
    assert [(tmp_path / f"engine.log{end}").read_text() for end in ("", ".1", ".2", ".3")] == ["4", "3", "2", "1"]
    assert not (tmp_path / "engine.log.4").exists()


def test_an_empty_log_is_not_worth_a_new_one(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "engine.log")
    log.path.touch()
    log.start_new()
    assert not (tmp_path / "engine.log.1").exists()


def test_a_log_moves_when_it_is_longer_than_its_limit(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "engine.log", limit=100)
    with log.path.open("ab", buffering=0) as writer:
        writer.write(b"a" * 100)
        assert not log.rotate()
        writer.write(b"b")
        assert log.rotate()
        writer.write(b"c")
    assert log.path.read_bytes() == b"c"
    assert (tmp_path / "engine.log.1").read_bytes() == b"a" * 100 + b"b"


def test_the_tail_is_the_end_of_the_log(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "engine.log")
    assert (log.read_tail(), log.size()) == ("", 0)
    log.path.write_bytes(b"x" * 100 + b"end")
    assert log.read_tail(3) == "end"
    assert log.read_tail(50, after=101) == "nd"
    assert log.read_tail(3, after=1000) == "end"  # the log was rotated since
