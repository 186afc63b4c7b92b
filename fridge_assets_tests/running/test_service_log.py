"""What the services of `ui` print goes to a file that stays small; people see what they should know."""

import json
import logging
from pathlib import Path

from fridge_assets.running.service_log import Entry, ServiceLog, entry_of


def line(level: str, event: str, **more: str) -> bytes:
    return json.dumps({"event": event, "logger": "dagster.daemon", "level": level, **more}).encode() + b"\n"


def test_people_see_warnings_and_errors_and_the_file_has_everything(tmp_path: Path) -> None:
    told: list[Entry] = []
    log = ServiceLog(tmp_path / "services" / "ui.log", told.append)
    log.follow(
        [
            line("info", "Sensor pulse skipped: alive"),
            line("warning", "No cursor for event type DagsterEventType.RUN_FAILURE, ignoring older events"),
            line("warning", "the code server is late"),
            line("error", "Sensor tick caught an error", exception="Traceback\n  …\nOSError: disk full\n"),
            b"[everyone] printed by a step \xff\n",
        ]
    )
    log.close()
    assert [(entry.level, entry.in_short) for entry in told] == [
        (logging.WARNING, "the code server is late"),
        (logging.ERROR, "Sensor tick caught an error … OSError: disk full"),
    ]
    kept = (tmp_path / "services" / "ui.log").read_text()
    for said in ("pulse skipped", "No cursor", "code server is late", "Traceback", "printed by a step"):
        assert said in kept


def test_nothing_is_told_once_the_services_are_being_ended(tmp_path: Path) -> None:
    told: list[Entry] = []
    log = ServiceLog(tmp_path / "ui.log", told.append)
    log.telling = False
    log.follow([line("error", "the code server is gone")])
    log.close()
    assert told == []
    assert "the code server is gone" in (tmp_path / "ui.log").read_text()


def test_the_files_hold_the_newest_and_stay_small(tmp_path: Path) -> None:
    log = ServiceLog(tmp_path / "ui.log", lambda _entry: None)
    log.follow(f"{number} {'x' * 10_000}".encode() for number in range(2_500))
    log.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 16_000_000
    assert "2499 xxx" in (tmp_path / "ui.log").read_text()


def test_a_long_message_is_cut_for_people() -> None:
    assert len(entry_of(line("error", "x" * 5000).decode()).in_short) < 400


def test_lines_that_are_json_of_something_else_are_printed_text() -> None:
    for text in ("[1, 2]", "3", '{"level": "odd", "event": "x", "logger": "y"}', '{"a": 1}'):
        assert entry_of(text) == Entry(logging.INFO, "", text)
