"""What the models make of the alerts that the rules raised while they were silent (SPEC 4, 6).

Fixed limits know nothing of a device, so that its first scores judge what they raised. No model flags the device: the
alert is over at once. A model flags it and tells of it at least as urgently: its alert takes the place of that of the
rules, whatever feature that was about, and goes on with the work. Anything between leaves the alert open, as confirmed.
"""

import pandas as pd

from fridge_assets.alerting.evidence import FALLBACK, MODELS
from fridge_assets.alerting.frames import TIMESTAMP, look_up
from fridge_assets.alerting.verdicts import over_or_confirmed


def judge_rules(scores: pd.DataFrame, known: pd.DataFrame, now: pd.Timestamp, source: str) -> pd.DataFrame:
    """Active alerts of the rules that the models know to be over, or confirm for the first time.

    Only a device with scores of the latest window itself is judged, and not by a window before that of the alert.

    Args:
        scores: MODEL_SCORES rows of the latest window with ``carried_from``, flagged or not.
        known: stored alerts.
        now: when they are resolved.
        source: whose verdicts the scores are.

    Returns:
        The alerts that change, with ``from_status``, ``action`` and ``event_note``.
    """
    raised = open_of_rules(known)
    if source == FALLBACK or raised.empty or scores.empty:
        return raised.iloc[:0]
    own = scores["carried_from"].isna()
    by_device = scores.groupby("device_id").agg(highest=("anomaly_score", "max"), flagged=("anomaly_flag", "any"))
    scored = look_up(raised["device_id"], scores[own].groupby("device_id")["window_end"].max())
    verdicts = by_device.reindex(raised["device_id"]).set_axis(raised.index)
    heard = scored >= raised["window_end"]
    flagged = verdicts["flagged"].eq(True)
    judged = raised[heard & (~flagged | (raised["alert_type"] != "ANOMALY_SUSTAINED"))]
    over, highest = ~flagged[judged.index], verdicts.loc[judged.index, "highest"]
    words = ("The models see nothing unusual", "The models confirm it")
    return over_or_confirmed(judged, over, highest, words, scores, now)


def take_over_from_rules(drafts: pd.DataFrame, known: pd.DataFrame, source: str) -> pd.DataFrame:
    """Add to ``drafts`` of the models what they continue of the rules.

    Returns:
        Drafts with ``heir``: the models' alert that speaks for the device from now on, the draft itself or the active
        one that it repeats, null where none does; ``heir_rank``: its severity; and ``rules_since``: when the rules
        first detected what it takes over.
    """
    raised = open_of_rules(known)
    never = pd.Series(pd.NaT, index=drafts.index, dtype=TIMESTAMP)
    if source == FALLBACK or raised.empty or drafts.empty:
        return drafts.assign(heir=None, heir_rank=None, rules_since=never)
    told = ~drafts["suppressed"]
    mine = known[known["active"] & ~known["suppressed"] & (known["source"] == MODELS)]
    repeated = mine.drop_duplicates("problem").set_index("problem")
    heir = drafts["alert_id"].astype("object").where(told, look_up(drafts["problem"], repeated["alert_id"]))
    rank = drafts["severity_rank"].where(told, look_up(drafts["problem"], repeated["severity_rank"]))
    speaks = drafts["held_because"].isna() & heir.notna()
    marked = drafts.assign(heir=heir.where(speaks, None), heir_rank=rank.where(speaks), rules_since=never)
    since = raised[superseded_rules(marked, raised).notna()].groupby("device_id")["first_detected_at"].min()
    return marked.assign(rules_since=look_up(drafts["device_id"], since).where(told))


def superseded_rules(drafts: pd.DataFrame, known: pd.DataFrame) -> pd.Series:
    """For each row of ``known`` the models' alert that takes its place; null for all that the rules did not raise."""
    heirs = drafts[drafts["heir"].notna()].drop_duplicates("device_id").set_index("device_id")
    heir = look_up(known["device_id"], heirs["heir"])
    enough = look_up(known["device_id"], heirs["heir_rank"]).astype("float64") >= known["severity_rank"]
    return heir.where(enough & known.index.isin(open_of_rules(known).index), None)


def open_of_rules(known: pd.DataFrame) -> pd.DataFrame:
    """Those of ``known`` that the rules have told and that are still open."""
    return known[known["active"] & ~known["suppressed"] & (known["source"] == FALLBACK)]
