"""Naming faults on the command line (SPEC 9, 10)."""

import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.simulation import FAULT_KINDS, FaultShare, mixed_faults, parse_fault_share


def test_kind_and_share_are_read() -> None:
    assert parse_fault_share("refrigerant_leak=0.02") == FaultShare("refrigerant_leak", 0.02)
    assert parse_fault_share(" bearing_wear = 1 ") == FaultShare("bearing_wear", 1.0)


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(FridgeError, match="no fault 'gremlins'") as refusal:
        parse_fault_share("gremlins=0.1")
    assert all(kind in str(refusal.value) for kind in FAULT_KINDS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("refrigerant_leak", "has no share"),
        ("refrigerant_leak=", "share '' in"),
        ("refrigerant_leak=much", "share 'much' in"),
        ("refrigerant_leak=0", "the share 0.0"),
        ("refrigerant_leak=1.5", "the share 1.5"),
        ("refrigerant_leak=nan", "the share nan"),
    ],
)
def test_a_share_that_is_none_is_refused(text: str, problem: str) -> None:
    with pytest.raises(FridgeError, match=problem):
        parse_fault_share(text)


def test_mixed_faults_spread_the_share_over_every_gradual_fault() -> None:
    shares = mixed_faults(0.09)
    assert [share.fault for share in shares] == [
        "refrigerant_leak",
        "condenser_fouling",
        "evaporator_icing",
        "bearing_wear",
        "valve_leak",
        "door_left_open",
        "stuck_sensor",
        "drifting_sensor",
        "intermittent_dropout",
    ]
    assert [share.share for share in shares] == pytest.approx([0.01] * 9)
