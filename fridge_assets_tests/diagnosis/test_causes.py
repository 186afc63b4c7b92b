"""The causes that are built in, and what a data folder says of causes (SPEC 6.2)."""

from pathlib import Path

import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.diagnosis.causes import CAUSES_FILE, built_in, knowledge_or_built_in, read_knowledge

OWN = """
[sources]
MANUAL = "Our service manual, page 12"

[noticeable]
temp_spread_evap_cond = 3.0

[causes.fan_belt]
title = "fan belt slips"
bring = ["fan belt"]
signs = [
  { finding = "temp_spread_evap_cond", direction = "high", weight = 3, source = "MANUAL" },
  { finding = "temp_condenser_mean", direction = "high", weight = 2, source = "MANUAL" },
]
"""


def written(folder: Path, text: str) -> Path:
    (folder / CAUSES_FILE).write_text(text, encoding="utf-8")
    return folder


def test_every_built_in_sign_has_a_source_that_is_written_out_or_says_why() -> None:
    knowledge = built_in()
    for cause in knowledge.causes:
        assert cause.title
        assert cause.signs
        for sign in cause.signs:
            assert knowledge.sources_of(cause) or " " in sign.source, (cause.name, sign)
    assert len(knowledge.causes) >= 13


def test_a_folder_without_a_file_has_the_built_in_causes(tmp_path: Path) -> None:
    assert read_knowledge(tmp_path) == built_in()


def test_a_file_adds_a_cause_and_what_it_needs(tmp_path: Path) -> None:
    knowledge = read_knowledge(written(tmp_path, OWN))
    own = next(cause for cause in knowledge.causes if cause.is_own)
    assert (own.name, own.bring, len(own.signs)) == ("fan_belt", ("fan belt",), 2)
    assert knowledge.sources_of(own) == {"MANUAL": "Our service manual, page 12"}
    assert len(knowledge.causes) == len(built_in().causes) + 1


def test_a_file_replaces_a_cause_and_leaves_one_out(tmp_path: Path) -> None:
    text = OWN.replace("fan_belt", "door_open") + '\n[causes.power_loss]\ntitle = "not with us"\nsigns = []\n'
    names = {cause.name: cause.title for cause in read_knowledge(written(tmp_path, text)).causes}
    assert names["door_open"] == "fan belt slips"
    assert "power_loss" not in names


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('direction = "high", weight = 2', 'direction = "hihg", weight = 2', "line 13: .*'high' or 'low'"),
        ("temp_condenser_mean", "temp_condensor_mean", "line 13\\. Did you mean temp_condenser_mean"),
        ("weight = 3", "weight = 9", "line 12: .*less than or equal to 3"),
        ('source = "MANUAL" },\n]', 'source = "" },\n]', "line 13: .*at least 1 character"),
        ('title = "fan belt slips"', 'titel = "fan belt slips"', "line 8: .*title"),
        ("temp_spread_evap_cond = 3.0", "temp_spread_evap_cond = 0", "line 6: temp_spread_evap_cond is 0"),
        ("temp_spread_evap_cond = 3.0", "temp_spread = 3.0", "line 6\\. Did you mean temp_spread_evap_cond"),
        ("[causes.fan_belt]", "[causes.fan_belt", "is no TOML: .*line 8"),
    ],
)
def test_a_bad_file_is_refused_with_its_line_and_a_remedy(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in OWN
    with pytest.raises(FridgeError, match=said) as refusal:
        read_knowledge(written(tmp_path, OWN.replace(old, new)))
    assert refusal.value.remedy


def test_alerts_do_not_wait_for_a_file_that_is_bad(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = written(tmp_path, OWN.replace('"high"', '"hihg"'))
    assert knowledge_or_built_in(folder) == built_in()
    assert "line 12" in caplog.text
