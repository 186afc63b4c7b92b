"""What is printed fits the terminal, is never interpreted, and a reader may stop reading (SPEC 9)."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from rich.cells import cell_len

from fridge_assets.cli import console
from fridge_assets_tests.cli.terminal import into_closed_pipe, on_terminal
from fridge_assets_tests.cli.typed import refused, typed
from fridge_assets_tests.scenarios.small_fleet import Place

STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
HOSTILE = "\x1b[31mred\x1b[0m [bold]x[/bold] :fire: \x9b2J"
MOST_IMPORTANT = {"incidents": ("incident", "severity", "device", "title"), "messages": ("message", "title")}
TABLES = [
    ["incidents", "list"], ["messages", "list"], ["alerts", "list"], ["models", "list"], ["status"],
    ["alerts", "quality"], ["models", "history"],
]  # fmt: skip


def table_lines(said: str) -> list[str]:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    return [
        line for line in plain.splitlines() if "--data-dir" not in line and not line.startswith(("Left", "/", "newest"))
    ]


@pytest.mark.parametrize("columns", [60, 80, 120, 160])
@pytest.mark.parametrize("words", TABLES[:2], ids=" ".join)
def test_a_table_fits_the_terminal(cycled_template: Place, words: list[str], columns: int) -> None:
    said = on_terminal(cycled_template.root, columns, *words)
    lines = table_lines(said)
    assert max(map(cell_len, lines)) <= columns
    heads = lines[1]
    assert all(head in heads for head in MOST_IMPORTANT[words[0]])
    left_out = {"incidents": columns < 160, "messages": columns < 80}[words[0]]
    assert ("Left out for want of room:" in said) == ("--wide" in said) == left_out


def test_wide_and_piped_tables_have_every_column_and_fold_none(cycled_template: Place) -> None:
    wide = table_lines(
        on_terminal(cycled_template.root, 60, "incidents", "list", "--wide", FRIDGE_DISPLAY__TIMEZONE="UTC")
    )
    _, piped, _ = typed(cycled_template.root, "incidents", "list")
    heads = ["incident", "severity", "device", "site", "status", "level", "owner", "since", "act by", "late", "title"]
    assert re.split(r"\s+", wide[1].strip().replace("act by", "act_by")) == [head.replace(" ", "_") for head in heads]
    assert [line.rstrip() for line in piped.splitlines()[1:]][:3] == [line.rstrip() for line in wide[1:4]]
    _, incidents, _ = typed(cycled_template.root, "incidents", "list", "--json")
    assert len(piped.splitlines()) == len(json.loads(incidents)) + 3, (
        "a line for each incident, title, heads and what is next"
    )


@pytest.mark.parametrize(
    "words", [*TABLES, ["alerts", "list", "--json"], ["models", "card", "isolation_forest"]], ids=" ".join
)
def test_a_reader_that_has_seen_enough_is_no_error(cycled_template: Place, words: list[str]) -> None:
    assert into_closed_pipe(cycled_template.root, *words) == (0, "")


def test_what_a_command_has_to_do_is_done_although_nobody_reads(cycled: Place) -> None:
    _, said, _ = typed(cycled.root, "incidents", "list", "--json")
    ids = [one["incident_id"] for one in json.loads(said)][:2]
    assert into_closed_pipe(cycled.root, "incidents", "ack", *ids) == (0, "")
    _, said, _ = typed(cycled.root, "incidents", "list", "--json")
    assert {one["status"] for one in json.loads(said) if one["incident_id"] in ids} == {"ACKNOWLEDGED"}


def test_text_of_others_is_shown_as_it_is_and_steers_nothing(cycled: Place) -> None:
    with cycled.operations.transaction() as connection:
        connection.exec_driver_sql("UPDATE alert_evidence SET title = ?, description = ?, site_id = ?", (HOSTILE,) * 3)
        connection.exec_driver_sql("UPDATE incidents SET site_id = ?", (HOSTILE,))
        connection.exec_driver_sql("UPDATE outbox SET title = ?", (HOSTILE,))
        alert, incident = connection.exec_driver_sql("SELECT alert_id, incident_id FROM device_alerts LIMIT 1").one()
    shown = r"\x1b[31mred\x1b[0m [bold]x[/bold] :fire: \x9b2J"
    for words in (
        ["alerts", "list"],
        ["alerts", "show", str(alert)],
        ["messages", "list"],
        ["incidents", "list"],
        ["incidents", "show", str(incident)],
        ["incidents", "ack", str(incident)],
    ):
        code, said, error = typed(cycled.root, *words)
        assert code == 0, error
        assert shown in said
        assert not STEERING.search(said)


def test_an_error_shows_names_with_brackets_and_codes_as_they_are(trained: Place, tmp_path: Path) -> None:
    file = tmp_path / "brackets.csv"
    file.write_text("time[s],device_id,T_amb[degC],\x1b[2J\n2026-01-01T00:00:00Z,unit-1,21.5,1\n")
    line = refused(trained.root, "ingest", str(file))
    assert r"columns are time[s], device_id, T_amb[degC], \x1b[2J" in line
    assert not STEERING.search(line)


def test_moments_are_shown_in_the_zone_of_the_reader_with_utc_beside() -> None:
    moment = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    try:
        console.show_times_in("Europe/Berlin")
        assert console.moment(moment) == "2026-07-02 00:30 CEST (2026-07-01 22:30 UTC)"
        assert console.moment(moment.replace(hour=4)) == "2026-07-01 06:30 CEST (04:30 UTC)"
        assert (console.short_moment(moment), console.zone_name()) == ("2026-07-02 00:30", "Europe/Berlin")
        console.show_times_in("UTC")
        assert console.moment(moment) == "2026-07-01 22:30 UTC"
    finally:
        console.show_times_in("")


def test_texts_that_name_moments_in_utc_have_the_local_time_beside(
    cycled: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cycled.operations.transaction() as connection:
        for sql in (
            "UPDATE alert_evidence SET description = 'From 11:00 to 12:05:10 UTC.', window_end = '2026-07-01 13:00:00'",
            "UPDATE incident_events SET note = 'By 2026-07-01 12:30 UTC'",
            "UPDATE outbox SET lines = '[\"Act by 2026-07-01 12:30 UTC.\"]'",
        ):
            connection.exec_driver_sql(sql)
        alert, incident = connection.exec_driver_sql("SELECT alert_id, incident_id FROM device_alerts LIMIT 1").one()
        message = str(connection.exec_driver_sql("SELECT message_id FROM outbox").scalar())
    monkeypatch.setenv("FRIDGE_DISPLAY__TIMEZONE", "Europe/Berlin")
    _, shown, _ = typed(cycled.root, "alerts", "show", alert)
    assert "From 13:00 to 14:05:10 CEST (11:00 to 12:05:10 UTC)." in shown
    _, story, _ = typed(cycled.root, "incidents", "show", incident)
    assert "By 2026-07-01 14:30 CEST (2026-07-01 12:30 UTC)" in story
    assert "Act by 2026-07-01 14:30 CEST (2026-07-01 12:30 UTC)." in typed(cycled.root, "messages", "show", message)[1]
    line = refused(cycled.root, "replay", "--from", "2020-01-01T10:00Z", "--to", "2020-01-01T11:00Z")
    assert "2020-01-01 11:00 CET (2020-01-01 10:00 UTC) lies before the first readings" in line


def test_tables_name_their_zone_and_programs_get_utc(cycled_template: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    _, before, _ = typed(cycled_template.root, "alerts", "list", "--json")
    monkeypatch.setenv("FRIDGE_DISPLAY__TIMEZONE", "America/New_York")
    _, said, _ = typed(cycled_template.root, "alerts", "list")
    assert said.startswith("Alerts, times in America/New_York\n")
    _, after, _ = typed(cycled_template.root, "alerts", "list", "--json")
    assert after == before
    since = pd.Timestamp(json.loads(after)[0]["first_detected_at"])
    assert since.utcoffset().total_seconds() == 0
    assert f"{since.tz_convert('America/New_York'):%Y-%m-%d %H:%M}" in said


def test_no_command_writes_markup() -> None:
    sources = Path(console.__file__).parent.glob("*.py")
    found = [
        path.name for path in sources if re.search(r"\[/?(bold|dim|red|green|yellow)\]|rich\.markup", path.read_text())
    ]
    assert found == [], "text is printed as it is: use styled()"
