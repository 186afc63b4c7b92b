"""The causes of trouble that are known, and their signs: built in, and those of the data folder (SPEC 6.2)."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.names import unknown
from fridge_assets.core.toml_files import parsed, read_text
from fridge_assets.diagnosis.findings import COMPUTED, Noticeable

CAUSES_FILE = "causes.toml"
"""Name of the file in the data folder that adds causes or replaces built-in ones."""

_LOG = logging.getLogger(__name__)
_REMEDY = (
    "A cause is [causes.NAME] with title, bring and signs such as "
    '{ finding = "superheat_mean", direction = "high", weight = 2, source = "where it is written" }.'
)


class Sign(BaseModel):
    """What a cause does to a device: a finding, which way it is off, how much that says, and who says so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    finding: str
    direction: Literal["high", "low"]
    weight: int = Field(ge=1, le=3)
    source: str = Field(min_length=1)


class _Cause(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1)
    bring: tuple[str, ...] = ()
    signs: tuple[Sign, ...]


class _Share(BaseModel):
    model_config = ConfigDict(extra="forbid")

    share: float = Field(gt=0)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sources: dict[str, str] = {}
    noticeable: dict[str, float | _Share] = {}
    causes: dict[str, _Cause] = {}


@dataclass(frozen=True)
class Cause:
    """A cause of trouble.

    Args:
        name: identity.
        title: as a technician says it, to follow ``Probable``.
        bring: what to bring; ``{refrigerant}`` and ``{sensor}`` stand for those of the device.
        signs: what it does to a device.
        is_own: whether the data folder says so.
    """

    name: str
    title: str
    bring: tuple[str, ...]
    signs: tuple[Sign, ...]
    is_own: bool = False


@dataclass(frozen=True)
class Knowledge:
    """Everything that a diagnosis is made of.

    Args:
        causes: the known causes, by name.
        noticeable: feature → from how much on a deviation is noticed.
        sources: what signs name as their source → where it is written.
    """

    causes: tuple[Cause, ...]
    noticeable: Mapping[str, Noticeable]
    sources: Mapping[str, str]

    def sources_of(self, cause: Cause) -> dict[str, str]:
        """Those that the signs of ``cause`` name."""
        named = {word for sign in cause.signs for word in re.findall(r"\w+", sign.source)}
        return {name: written for name, written in self.sources.items() if name in named}


@cache
def built_in() -> Knowledge:
    """What is known without a file in the data folder."""
    resource = files("fridge_assets.diagnosis") / CAUSES_FILE
    return _knowledge(resource.read_text(encoding="utf-8"), CAUSES_FILE, None)


def read_knowledge(data_dir: Path) -> Knowledge:
    """What is known in a data folder: the built-in causes, with those of its file in their place or beside them.

    Raises:
        FridgeError: the file cannot be read, or says something that cannot be; the message names the line.
    """
    path = data_dir / CAUSES_FILE
    text = read_text(path)
    return built_in() if text is None else _knowledge(text, str(path), built_in())


def knowledge_or_built_in(data_dir: Path) -> Knowledge:
    """The same, but the built-in causes where the file of the data folder cannot be used: alerts do not wait for it."""
    try:
        return read_knowledge(data_dir)
    except FridgeError as error:
        _LOG.warning("%s The built-in causes hold until then.", error)
        return built_in()


def _knowledge(text: str, where: str, base: Knowledge | None) -> Knowledge:
    try:
        file = _File.model_validate(parsed(text, where))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        said = ".".join(str(part) for part in first["loc"])
        line = _line_of(text, [str(part) for part in first["loc"]])
        raise FridgeError(f"{where}, line {line}: {said}: {first['msg']}", _REMEDY) from error
    noticeable = dict(base.noticeable) if base else {}
    for name, amount in file.noticeable.items():
        value = Noticeable(amount.share, is_share=True) if isinstance(amount, _Share) else Noticeable(amount)
        if name not in MODEL_FEATURES:
            line = _line_of(text, ["noticeable", name])
            raise unknown("feature", name, MODEL_FEATURES, f"in {where}, line {line}")
        if value.amount <= 0:
            line = _line_of(text, ["noticeable", name])
            raise FridgeError(f"{where}, line {line}: {name} is {value.amount:g}", "Give an amount above 0.")
        noticeable[name] = value
    causes = {cause.name: cause for cause in base.causes} if base else {}
    for name, given in file.causes.items():
        for number, sign in enumerate(given.signs):
            known = (*COMPUTED, *noticeable)
            if sign.finding not in known:
                line = _line_of(text, ["causes", name, "signs", str(number)])
                raise unknown("finding", sign.finding, known, f"in {where}, line {line}")
        causes[name] = Cause(name, given.title, given.bring, given.signs, is_own=base is not None)
    sources = {**(base.sources if base else {}), **file.sources}
    return Knowledge(tuple(causes[name] for name in sorted(causes) if causes[name].signs), noticeable, sources)


def _line_of(text: str, place: list[str]) -> int:
    """The line of what is wrong: of the sign, else of the key, else of the table."""
    lines = text.splitlines()
    header = f"[{'.'.join(place[:2])}]" if place[0] == "causes" else f"[{place[0]}]"
    start = next((number for number, line in enumerate(lines) if line.strip().startswith(header)), 0)
    if place[0] == "causes" and len(place) > 3 and place[2] == "signs":
        signs = [n for n in range(start + 1, len(lines)) if "{" in lines[n]]
        return signs[int(place[3])] + 1 if int(place[3]) < len(signs) else start + 1
    key = place[1] if place[0] != "causes" and len(place) > 1 else place[2] if len(place) > 2 else ""
    found = (n for n in range(start + 1, len(lines)) if key and lines[n].split("=")[0].strip() == key)
    return next(found, start) + 1
