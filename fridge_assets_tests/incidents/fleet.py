"""Devices of a few sites whose observations are decided together, as one run would."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from fridge_assets.incidents.grouping import Group, GroupRule, Opening, groups_of, is_news
from fridge_assets.incidents.observations import Observation, Seen
from fridge_assets_tests.incidents.device import SETTINGS, Device

SITES = 2
RULE = GroupRule(SETTINGS.site_devices, SETTINGS.site_share, SETTINGS.site_span)
_OPENS = ("opened", "reopened")


def site_of(device: str) -> str:
    """The site of a device that is called by a number."""
    return f"s{int(device[1:]) % SITES}"


class Fleet:
    """What the store would keep of all devices."""

    def __init__(self, names: Iterable[str]) -> None:
        self.devices = {name: Device() for name in names}
        self.openings: list[Opening] = []
        self.groups: dict[str, Group] = {}
        self.news: list[Group] = []

    def run(self, observations: Mapping[str, Observation], now: datetime) -> None:
        """Decide what one run has seen: first for each device alone, then with those sites that are told of as one."""
        for name in observations:
            self.devices[name].sites = ()
        for name, observation in observations.items():
            last = self.devices[name].decide(observation, now).events[-1:]
            if last and last[0].told in _OPENS and isinstance(observation, Seen):
                self.openings.append(Opening(name, site_of(name), observation.severity, now))
        sizes = Counter(map(site_of, self.devices))
        groups = groups_of(self.openings, sizes, self.groups, now, RULE)
        self.news += [group for site, group in sorted(groups.items()) if is_news(group, self.groups.get(site))]
        self.groups = groups
        for name, observation in observations.items():
            device, site = self.devices[name], site_of(name)
            device.sites = (groups[site].span,) if site in groups else ()
            device.observe(observation, now)
