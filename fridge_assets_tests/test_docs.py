"""Pages for people say what the code says."""

import re
from pathlib import Path
from typing import get_args

from fridge_assets.contracts.docs import datasets_page
from fridge_assets.settings import (
    EmailDestination,
    EventDestination,
    Settings,
    SlackChannels,
    WebhookDestination,
)
from fridge_assets.variables import ANY_NAME, variable_names

PROJECT = Path(__file__).parents[1]
PAGES = (PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md")), PROJECT / "docs" / "systemd" / "fridge.env")


def test_the_datasets_page_is_what_the_contracts_say() -> None:
    written = (PROJECT / "docs" / "datasets.md").read_text()
    assert written == datasets_page(), "run: python -m fridge_assets.contracts.docs > docs/datasets.md"


def test_every_setting_that_the_docs_name_exists() -> None:
    known = set(variable_names(Settings))
    for page in PAGES:
        for name in re.findall(r"\bFRIDGE_[A-Z0-9_]*[A-Z0-9]\b", page.read_text()):
            # The example destinations have names of somebody's choice.
            pattern = re.sub(r"(__DESTINATIONS__)(?:CHAT|MAIL|DUTY)(?=__|$)", rf"\g<1>{ANY_NAME}", name)
            assert pattern in known, f"{page.name} names {name}, which sets nothing"


def test_every_slack_channel_that_the_docs_name_is_one_by_default() -> None:
    channels = set(SlackChannels().model_dump().values())
    for page in PAGES:
        named = set(re.findall(r"#fridge-[a-z-]+", page.read_text()))
        assert named <= channels, f"{page.name} names {sorted(named - channels)}"


def test_the_page_about_notifications_has_every_channel_and_kind_of_destination() -> None:
    page = (PROJECT / "docs" / "notifications.md").read_text()
    for audience, channel in SlackChannels().model_dump().items():
        assert f"| `{audience}` |" in page
        assert f"`{channel}`" in page
    for group in (WebhookDestination, EmailDestination, EventDestination):
        kinds = get_args(group.model_fields["kind"].annotation)
        assert all(kind in page.lower() for kind in kinds)
        fields = set(group.model_fields) - {"channels"}
        assert all(f"__{field.upper()}=" in page for field in fields), fields
