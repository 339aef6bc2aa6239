"""The one error that ends a start: its text is a single line that says what to do."""


class LaunchError(Exception):
    """A start that cannot go on. `str(error)` is one line for the operator, without a traceback."""
