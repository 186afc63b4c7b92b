"""What people would have been told in the replayed hours, and how much of it was true as far as anybody knows."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets.replay.span import HOUR

WORK = "MEDIUM or higher"
"""Alerts that somebody is sent; LOW ones are only shown."""

_DAY = timedelta(days=1)
_MOST_TITLES = 12


def judged_alerts(
    told: pd.DataFrame, labels: pd.DataFrame, truth: pd.DataFrame | None, near: timedelta
) -> pd.DataFrame:
    """``told`` with what is known about each alert.

    Args:
        told: DEVICE_ALERTS rows that were told.
        labels: LABEL_EVENTS rows, what people have said of the alerts of the fleet.
        truth: ground truth of a simulated fleet; None where there is none.
        near: a label counts for alerts of its device this long before its episode began and after its window.

    Returns:
        ``told`` with ``label`` (``confirmed``, ``false_positive`` or null) and ``fault`` (that had begun on the device;
        null for none).
    """
    labelled = labels.sort_values("labelled_at")[["device_id", "first_detected_at", "window_end", "label"]]
    pairs = told[["alert_id", "device_id", "window_end"]].merge(labelled, on="device_id", suffixes=("", "_of_label"))
    about = (pairs["window_end"] >= pairs["first_detected_at"] - near) & (
        pairs["window_end"] <= pairs["window_end_of_label"] + near
    )
    newest = pairs[about].drop_duplicates("alert_id", keep="last").set_index("alert_id")["label"]
    judged = told.assign(label=newest.reindex(told["alert_id"]).to_numpy(), fault=None)
    if truth is None:
        return judged
    faults = judged[["device_id"]].merge(truth.drop_duplicates("device_id"), on="device_id", how="left")
    begun = (faults["onset"] < judged["window_end"].reset_index(drop=True)).to_numpy()
    return judged.assign(fault=faults["fault"].astype("object").where(begun, None).to_numpy())


def told_by_severity(judged: pd.DataFrame, hours: Sequence[datetime], *, with_truth: bool) -> pd.DataFrame:
    """How much is told, and how much of it was real.

    Args:
        judged: what :func:`judged_alerts` gave.
        hours: the replayed hours.
        with_truth: whether there is a ground truth.

    Returns:
        ``severity``, from most to least urgent with :data:`WORK` after MEDIUM, ``told``, ``a day``; with labels
        ``labelled`` and ``confirmed`` (share of them), with a truth ``on faults`` (share of what was told).
    """
    rows = []
    days = len(hours) * HOUR / _DAY
    for name in (*reversed(SEVERITIES[1:]), WORK, SEVERITIES[0]):
        own = judged[judged["severity"] != SEVERITIES[0]] if name == WORK else judged[judged["severity"] == name]
        row: dict[str, Any] = {"severity": name, "told": len(own), "a day": round(len(own) / days, 2)}
        if judged["label"].notna().any():
            labelled = own["label"].notna()
            row["labelled"] = int(labelled.sum())
            row["confirmed"] = _share(own.loc[labelled, "label"].eq("confirmed"))
        if with_truth:
            row["on faults"] = _share(own["fault"].notna())
        rows.append(row)
    return pd.DataFrame(rows)


def faults_found(judged: pd.DataFrame, truth: pd.DataFrame, until: datetime) -> pd.DataFrame:
    """Which faults were told as work.

    Args:
        judged: what :func:`judged_alerts` gave.
        truth: the ground truth.
        until: end of the replay; faults that begin later are left out.

    Returns:
        ``fault``, ``begun``, ``found`` and ``hours until told`` (median, since onset; long where the fault is older
        than the replay).
    """
    begun = truth[truth["onset"] < until]
    work = judged[judged["severity"].ne(SEVERITIES[0]) & judged["fault"].notna()]
    first = work.groupby("device_id")["window_end"].min()
    waited = first.reindex(begun["device_id"]).set_axis(begun.index) - begun["onset"]
    after = waited.dt.total_seconds() / HOUR.total_seconds()
    found = begun.assign(hours=after).groupby("fault", as_index=False)
    counted = found.agg(begun=("device_id", "size"), found=("hours", "count"), hours=("hours", "median")).round(1)
    return counted.rename(columns={"hours": "hours until told"})


def most_told(judged: pd.DataFrame) -> pd.DataFrame:
    """``what it says`` and ``told``: the titles of alerts of MEDIUM or higher that are told most."""
    counts = judged.loc[judged["severity"] != SEVERITIES[0], "title"].value_counts()
    top = counts.sort_index().sort_values(ascending=False, kind="stable").head(_MOST_TITLES)
    return pd.DataFrame({"what it says": top.index.astype("object"), "told": top.to_numpy()})


def side_by_side(frames: Mapping[str, pd.DataFrame], key: str) -> pd.DataFrame:
    """Tables of several replays as one: a row for each value of ``key``, the columns of each under its name."""
    if len(frames) == 1:
        return next(iter(frames.values()))
    named = [frame.set_index(key).add_prefix(f"{name}: ") for name, frame in frames.items()]
    order = dict.fromkeys(value for frame in named for value in frame.index)
    joined = pd.concat(named, axis=1).reindex(list(order))
    counts = [name for name in joined if str(name).endswith((": told", ": found", ": begun"))]
    return joined.fillna(dict.fromkeys(counts, 0)).astype(dict.fromkeys(counts, "int64")).rename_axis(key).reset_index()


def _share(which: "pd.Series[bool]") -> float | None:
    return round(float(which.mean()), 3) if len(which) else None
