"""Settings of the work orders."""

from datetime import timedelta

from pydantic import Field, SecretStr

from fridge_assets.settings._group import Group


class WorkOrderSettings(Group):
    """Handing work to the maintenance system (SPEC 6)."""

    webhook_url: str = Field(
        "", description="where work orders are posted as JSON; empty: one file each in work_orders/ of the data folder"
    )
    webhook_token: SecretStr = Field(SecretStr(""), description="sent as bearer token; empty for none")
    timeout: timedelta = Field(timedelta(seconds=10), gt=timedelta(0), description="how long the webhook may take")
    budget: timedelta = Field(timedelta(seconds=20), description="one delivery starts no further order after this long")
    first_retry: timedelta = Field(
        timedelta(seconds=10), gt=timedelta(0), description="wait after the first failure in a row of an order"
    )
    retry_factor: float = Field(2.0, ge=1, description="every further failure in a row waits this many times longer")
    max_retry: timedelta = Field(timedelta(minutes=10), description="but never longer than this")
    long_wait: timedelta = Field(
        timedelta(minutes=15), description="`doctor` warns of orders that have waited longer than this"
    )
