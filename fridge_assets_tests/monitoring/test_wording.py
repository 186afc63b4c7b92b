"""What a check says: who is beyond which limit, and what to do."""

from fridge_assets.monitoring.watch import MonitoringReport
from fridge_assets.monitoring.wording import WATCHES, judgement, summary
from fridge_assets_tests.monitoring.given import metric, report

BY_NAME = {watch.name: watch for watch in WATCHES}


def said(name: str, given: MonitoringReport) -> tuple[bool, str]:
    return judgement(BY_NAME[name], given)


def test_every_limit_has_its_check() -> None:
    assert [watch.name for watch in WATCHES] == [
        "flagged_share", "score_level", "agreement", "feature_drift", "score_distribution", "coverage",
    ]  # fmt: skip


def test_who_is_beyond_which_limit_is_named_with_what_to_do() -> None:
    given = report(
        ("isolation_forest", metric("flagged_share", 0.042, "warn", low=0.00333, high=0.03)),
        ("autoencoder", metric("flagged_share", 0.01, low=0.00333, high=0.03)),
    )
    passed, sentence = said("flagged_share", given)
    assert not passed
    assert sentence.startswith(
        "isolation_forest in the window ending 2026-03-09 12:00 UTC: flagged share is 4.20% (limit 0.33% … 3.00%). "
    )
    assert "autoencoder" not in sentence
    assert "fridge-assets train" in sentence


def test_the_features_furthest_beyond_are_named_first_and_the_rest_counted() -> None:
    features = [metric("psi", 0.2 + n / 100, "warn", subject=f"feature_{n}", high=0.2) for n in range(1, 9)]
    passed, sentence = said("feature_drift", report(*(("isolation_forest", each) for each in features)))
    assert not passed
    assert "PSI of feature_8 is 0.28 (limit ≤ 0.2); PSI of feature_7 is 0.27" in sentence
    assert "feature_3 " not in sentence
    assert "and 3 more. " in sentence


def test_a_pair_that_disagrees_is_named() -> None:
    given = report(("isolation_forest", metric("agreement", 0.8, "warn", subject="autoencoder", low=0.85)))
    assert "agreement with autoencoder is 80.00% (limit ≥ 85.00%)" in said("agreement", given)[1]


def test_a_warning_of_one_kind_fails_no_other_check() -> None:
    given = report(
        ("isolation_forest", metric("coverage", 0.9, "warn", low=0.99)),
        ("isolation_forest", metric("mean", 0.3, low=0.25, high=0.35)),
    )
    assert [watch.name for watch in WATCHES if judgement(watch, given)[0] is False] == ["coverage"]


def test_what_could_not_be_judged_is_said_and_no_warning() -> None:
    given = report(("isolation_forest", metric("psi", 3.0, "not enough data", subject="humidity_mean", high=0.2)))
    assert said("feature_drift", given) == (None, "not enough data of isolation_forest")
    assert said("coverage", given) == (None, "there are no scores yet")


def test_the_table_shows_a_feature_only_when_it_drifts() -> None:
    given = report(
        ("isolation_forest", metric("psi", 0.3, "warn", subject="humidity_mean", high=0.2)),
        ("isolation_forest", metric("psi", 0.1, subject="superheat_mean", high=0.2)),
        ("isolation_forest", metric("ks", 0.1, subject="superheat_mean")),
        ("isolation_forest", metric("throughput", None, "not enough data")),
        ("isolation_forest", metric("coverage", 0.995, low=0.99)),
    )
    shown = summary(given)
    assert shown["metric"].tolist() == ["PSI of humidity_mean", "throughput", "coverage"]
    assert shown["value"].tolist() == ["0.3", "–", "99.50%"]
    assert shown["limits"].tolist() == ["≤ 0.2", "none", "≥ 99.00%"]
