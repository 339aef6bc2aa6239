"""Tables that are not mostly cells which nobody has written."""

from markdown_it.rules_block import StateBlock, table

MAX_ADDED_CELLS = 2_000  # that short rows of one table are filled up with


def bounded_table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Block rule: a table, unless its rows are far shorter than its head: each is filled up to the same length."""
    if not table(state, start, end, True):
        return False
    columns = max(1, state.src.count("|", state.bMarks[start], state.eMarks[start]))
    last = next((line for line in range(start, end) if state.isEmpty(line)), end)
    written = state.src.count("|", state.bMarks[start], state.eMarks[last - 1])
    if columns * (last - start) > 2 * written + MAX_ADDED_CELLS:
        return False
    return True if silent else table(state, start, end, False)
