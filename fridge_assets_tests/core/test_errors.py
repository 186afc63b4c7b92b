"""Errors that users meet."""

import pickle

import pandas as pd

from fridge_assets.contracts import SITE_STATUS
from fridge_assets.contracts.validation import ContractViolation, ValidationReport, Violation
from fridge_assets.core.errors import FridgeError


def test_an_error_crosses_processes_with_its_sentence() -> None:
    violation = Violation("site_id must not be null", ("site_id",), 1, pd.DataFrame())
    for error in (
        FridgeError("x.csv is empty", "Deliver another."),
        ContractViolation(ValidationReport(SITE_STATUS, 1, (violation,))),
    ):
        arrived = pickle.loads(pickle.dumps(error))
        assert isinstance(arrived, FridgeError)
        assert (str(arrived), arrived.remedy) == (str(error), error.remedy)


def test_a_question_ends_with_its_own_mark() -> None:
    assert str(FridgeError("in which zone are they?", "Give --timezone.")) == (
        "in which zone are they? Give --timezone."
    )
