"""What scores of the models say of alerts that somebody else has raised: they are over, or confirmed."""

import pandas as pd


def over_or_confirmed(
    judged: pd.DataFrame,
    over: pd.Series,
    highest: pd.Series,
    words: tuple[str, str],
    scores: pd.DataFrame,
    now: pd.Timestamp,
) -> pd.DataFrame:
    """Alerts as they are after the verdict, with ``from_status``, ``action`` and ``event_note`` for their events.

    Args:
        judged: active alerts.
        over: whether each is resolved; the others are ANOMALY_SUSTAINED.
        highest: score of the device of each.
        words: what is said of one that is over, and of one that is not.
        scores: what they are judged by.
        now: when they are resolved.
    """
    window = f"the window ending {scores['window_end'].max():%Y-%m-%d %H:%M} UTC"
    gone, still = words
    return judged.assign(
        from_status=judged["status"],
        action=over.map({True: "recover", False: "sustain"}),
        status=judged["status"].mask(over, "RESOLVED"),
        active=~over,
        alert_type=over.map({True: "ANOMALY_RESOLVED", False: "ANOMALY_SUSTAINED"}).astype("object"),
        resolved_at=judged["resolved_at"].mask(over, now),
        event_note=[
            f"{gone if is_over else still}: highest score {score:.2f} in {window}"
            for is_over, score in zip(over, highest, strict=True)
        ],
    )
