"""The one family of errors a user may meet: each names the thing, the value and the way out."""


class FridgeError(Exception):
    """What went wrong and what to do about it, as one sentence each.

    Args:
        problem: names the thing and the offending value, without a trailing full stop; it may end with a question.
        remedy: what the user should do next, as an imperative sentence.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}{'' if problem.endswith('?') else '.'} {remedy}")
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type["FridgeError"], tuple[str, str]]:
        """Cross to another process with what a user reads, whatever else a subclass holds."""
        return FridgeError, (self.problem, self.remedy)
