"""Whether a frame surely keeps its contract: one vectorised pass that takes a fraction of what naming a violation does.

Nearly every frame keeps its contract. Great Expectations, which says what is wrong with the others and in which rows,
takes seconds to import, and a process that validates only ordinary frames never needs it.
"""

import pandas as pd

from fridge_assets.contracts._contract import Column, Contract


def surely_keeps(contract: Contract, frame: pd.DataFrame) -> bool:
    """Whether every rule about columns without lists, about the key and about order holds for ``frame``.

    Args:
        contract: the dataset's contract.
        frame: all columns of the contract.

    Returns:
        False also where that cannot be told, as for values of a type that cannot be compared.
    """
    try:
        return (
            all(_column_holds(column, frame[column.name]) for column in contract.columns if not column.holds_lists)
            and all(_in_order(frame[earlier], frame[later]) for earlier, later in contract.ordered)
            and not frame.duplicated(list(contract.key)).any()
        )
    except TypeError:
        return False


def _column_holds(column: Column, values: "pd.Series[float]") -> bool:
    null = values.isna()
    if null.any():
        if not column.nullable:
            return False
        values = values[~null]
    # Not the smallest and the largest: of a column of objects these depend on what stands first.
    return not (
        (column.minimum is not None and not (values >= column.minimum).all())
        or (column.maximum is not None and not (values <= column.maximum).all())
        or (bool(column.allowed) and not values.isin(column.allowed).all())
    )


def _in_order(earlier: "pd.Series[float]", later: "pd.Series[float]") -> bool:
    return bool((later > earlier).all())
