"""What devices truly do, as episodes: the ground truth that states found in readings are judged by (SPEC 10)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fridge_assets.simulation.machine_schedule import Outcome
from fridge_assets.simulation.part import StateBlock
from fridge_assets.simulation.thermostat import STATE_NAMES, State

OUTCOME_NAMES = tuple(outcome.name.lower() for outcome in Outcome)


def episodes(parts: "Sequence[tuple[pd.Series[str], Sequence[StateBlock]]]") -> pd.DataFrame:
    """One row per device and unbroken time in one state; the rows of a device follow one another without a gap.

    Args:
        parts: ids of devices and their states, blocks in the order of time.

    Returns:
        ``device_id``, ``state`` (``running``, ``off``, ``defrost``, ``pull-down`` or ``standstill``), ``defrost``
        (``usual``, ``failed`` or ``too_long``; null outside of defrosts), ``start`` and ``end`` (full minutes, end
        exclusive), by device and time.
    """
    frames = [_of_part(ids, blocks) for ids, blocks in parts]
    return pd.concat(frames).sort_values(["device_id", "start"], ignore_index=True)


def _of_part(device_ids: "pd.Series[str]", blocks: Sequence[StateBlock]) -> pd.DataFrame:
    minutes = np.concatenate([block.minutes for block in blocks])
    state = np.concatenate([block.state for block in blocks]).T
    outcome = np.concatenate([block.outcome for block in blocks]).T
    code = state + len(STATE_NAMES) * outcome
    begins = np.ones(code.shape, np.bool_)
    begins[:, 1:] = code[:, 1:] != code[:, :-1]
    device, first = np.nonzero(begins)
    # An episode ends where the device's next one begins, the last one with the span.
    last = np.append(first[1:], 0)
    last[np.append(device[1:] != device[:-1], True)] = len(minutes)
    defrosts = state[device, first] == State.DEFROST
    outcomes = np.where(defrosts, np.array(OUTCOME_NAMES, object)[outcome[device, first]], None)
    starts = pd.to_datetime(minutes[first] * 60, unit="s", utc=True).as_unit("us")
    return pd.DataFrame(
        {
            "device_id": device_ids.to_numpy()[device],
            "state": np.array(STATE_NAMES)[state[device, first]],
            "defrost": pd.Series(outcomes, dtype="str"),
            "start": starts,
            "end": starts + pd.to_timedelta(last - first, unit="min"),
        }
    ).astype({"device_id": "str", "state": "str"})
