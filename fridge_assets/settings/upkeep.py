"""Settings of retention and health."""

from datetime import timedelta

from pydantic import Field

from fridge_assets.settings._group import Group


class RetentionSettings(Group):
    """How long what a running fleet writes is kept; fridge_assets/upkeep/retention/policies.py says why."""

    landing: timedelta = Field(timedelta(days=30), gt=timedelta(0), description="landing files once ingested")
    ledger: timedelta = Field(
        timedelta(days=90),
        gt=timedelta(0),
        description="what is known of a landing file that is gone; delivered again later, it would be ingested again",
    )
    clean_readings: timedelta = Field(timedelta(days=90), gt=timedelta(0), description="clean readings")
    quarantined: timedelta = Field(timedelta(days=90), gt=timedelta(0), description="quarantined readings")
    features: timedelta = Field(
        timedelta(days=90), gt=timedelta(0), description="features; never less than training looks back, plus a day"
    )
    scores: timedelta = Field(
        timedelta(days=90), gt=timedelta(0), description="scores; never less than training looks back, plus a day"
    )
    canary: timedelta = Field(timedelta(days=180), gt=timedelta(0), description="canary scores and reports")
    monitoring: timedelta = Field(
        timedelta(days=400), gt=timedelta(0), description="how the models behaved; a year can be held against the last"
    )
    withheld: timedelta = Field(timedelta(days=30), gt=timedelta(0), description="scores that were withheld")
    fallback: timedelta = Field(timedelta(days=90), gt=timedelta(0), description="what the rules said")
    alerts: timedelta = Field(
        timedelta(days=400), gt=timedelta(0), description="alerts since they were closed; open ones always"
    )
    messages: timedelta = Field(
        timedelta(days=90), gt=timedelta(0), description="messages since they were stored; pending ones always"
    )
    models: timedelta = Field(
        timedelta(days=180), gt=timedelta(0), description="files of model versions since anyone last decided about them"
    )
    releases: int = Field(3, ge=3, description="newest releases of a family whose files are always kept (SPEC 3)")
    runs: timedelta = Field(timedelta(days=90), gt=timedelta(0), description="Dagster runs, their events and logs")
    dead_letters: timedelta = Field(
        timedelta(days=30), gt=timedelta(0), description="readings that the stream could not use, with the reason"
    )
    leftovers: timedelta = Field(
        timedelta(days=1), ge=timedelta(hours=2), description="files that killed programs left behind"
    )


class HealthSettings(Group):
    """Whether the automation is alive."""

    max_silence: timedelta = Field(
        timedelta(seconds=45), gt=timedelta(0), description="without a pulse for this long the automation is dead"
    )
