"""Settings of the processes that run."""

from pydantic import Field, field_validator

from fridge_assets.settings._group import Group


class UiSettings(Group):
    """The Dagster UI, which asks nobody for a password: who may reach it."""

    host: str = Field("127.0.0.1", description="where it listens; a proxy that asks for a password is on this machine")
    allowed_hosts: str = Field(
        "",
        description="hosts under which browsers may see it beside those of this machine, separated by commas, with "
        "their port unless it is that of http or https: fridge.example.org",
    )

    @property
    def further_hosts(self) -> frozenset[str]:
        """The allowed hosts one by one, as browsers write them."""
        return frozenset(host.strip().lower() for host in self.allowed_hosts.split(",") if host.strip())

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts_and_not_addresses(cls, hosts: str) -> str:
        if "/" in hosts or "*" in hosts:
            raise ValueError("hosts stand there without http:// and without a path, each for itself")
        return hosts
