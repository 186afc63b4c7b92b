from pathlib import Path

from fridge_assets.contracts.docs import datasets_page

PROJECT = Path(__file__).parents[1]


def test_the_datasets_page_is_what_the_contracts_say() -> None:
    written = (PROJECT / "docs" / "datasets.md").read_text()
    assert written == datasets_page(), "run: python -m fridge_assets.contracts.docs > docs/datasets.md"
