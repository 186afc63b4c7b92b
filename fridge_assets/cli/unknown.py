"""Names that a listing was asked for and nobody knows: refused, so that a slip of the keyboard is no good news."""

from fridge_assets.cli.context import Workplace


def refuse_unknown_names(place: Workplace, device: str | None = None, site: str | None = None) -> None:
    """Refuse a device or a site that is neither in the registry nor in any incident; cheap where none is named.

    Args:
        place: the data folder.
        device: a device id that was asked for.
        site: a site id that was asked for.

    Raises:
        UnknownName: nobody knows it; the nearest one that is known is named.
    """
    asked = {what: name for what, name in (("device", device), ("site", site)) if name is not None}
    if not asked:
        return
    import sqlalchemy as sa  # noqa: PLC0415

    from fridge_assets.stores.operations import incidents  # noqa: PLC0415

    def has_incident(what: str, name: str) -> bool:
        with place.operations.read() as connection:
            return bool(connection.scalar(sa.select(sa.exists().where(incidents.c[f"{what}_id"] == name))))

    asked = {what: name for what, name in asked.items() if not has_incident(what, name)}
    if not asked:
        return
    # Only now: the registry takes longer to read than a list.
    from fridge_assets.core.names import unknown  # noqa: PLC0415
    from fridge_assets.registry.devices import effective_registry, read_registry  # noqa: PLC0415

    registry = read_registry(place.settings.root)
    if registry is None and place.settings.warehouse_file.exists():
        registry = effective_registry(place.settings.root, place.warehouse)
    for what, name in asked.items():
        column = f"{what}_id"
        known = set() if registry is None else set(registry[column])
        if name in known:
            continue
        with place.operations.read() as connection:
            known |= set(connection.scalars(sa.select(incidents.c[column]).distinct()))
        raise unknown(what, name, sorted(known))
