"""`causes`: what may be wrong with a device, by which signs, and who says so (SPEC 6.2)."""

from typing import TYPE_CHECKING, Annotated

import typer

from fridge_assets.cli.console import say, say_json
from fridge_assets.cli.context import reading
from fridge_assets.cli.tables import Wide, say_table

if TYPE_CHECKING:
    from fridge_assets.diagnosis.causes import Knowledge

app = typer.Typer(no_args_is_help=True, help="Causes that an alert may name, and their signs.")
Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@app.command("list", epilog="Example: fridge-assets causes list")
def list_(context: typer.Context, wide: Wide = False, as_json: Json = False) -> None:
    """The causes that are known: the built-in ones, and those of causes.toml in the data folder."""
    import pandas as pd  # noqa: PLC0415

    from fridge_assets.diagnosis.wording import sign_in_words  # noqa: PLC0415

    known = _knowledge(context).causes
    rows = [
        {
            "cause": cause.name,
            "title": cause.title,
            "signs": ", ".join(sign_in_words(sign) for sign in cause.signs),
            "from": "your file" if cause.is_own else "built in",
        }
        for cause in known
    ]
    if as_json:
        say_json(rows)
        return
    say_table("Causes", pd.DataFrame(rows), spare=("from", "cause"), wide=wide)
    say("See one with its sources: `fridge-assets causes show NAME`; add yours in causes.toml of the data folder.")


@app.command(epilog="Example: fridge-assets causes show refrigerant_undercharge")
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of a cause, as `causes list` has it.")],
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """One cause: its signs, how much each says, who says so, and what to bring."""
    import pandas as pd  # noqa: PLC0415

    from fridge_assets.core.names import unknown  # noqa: PLC0415
    from fridge_assets.diagnosis.wording import bring_for_any, sign_in_words  # noqa: PLC0415

    knowledge = _knowledge(context)
    known = {cause.name: cause for cause in knowledge.causes}
    if name not in known:
        raise unknown("cause", name, sorted(known))
    cause, brought = known[name], bring_for_any(known[name])
    sources = knowledge.sources_of(cause)
    signs = [
        {"sign": sign_in_words(sign), "weight": sign.weight, "feature": sign.finding, "source": sign.source}
        for sign in cause.signs
    ]
    if as_json:
        say_json({"cause": name, "title": cause.title, "bring": brought, "signs": signs, "sources": sources})
        return
    say_table(f"Signs of {cause.title}", pd.DataFrame(signs), spare=("feature",), wide=wide)
    for source, written in sources.items():
        say(f"{source}: {written}")
    if brought:
        say(f"Bring: {', '.join(brought)}.")


def _knowledge(context: typer.Context) -> "Knowledge":
    from fridge_assets.diagnosis.causes import read_knowledge  # noqa: PLC0415

    place = reading(context)
    place.require_folder()
    return read_knowledge(place.settings.root)
