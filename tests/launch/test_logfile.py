"""Log files are kept short while a child writes to them."""

import os
from pathlib import Path

from jarvis.launch.logfile import LogFile


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
