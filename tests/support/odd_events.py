"""Events as no engine should write them, for hypothesis: every field may hold anything, or be missing."""

from hypothesis import strategies as st

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("content", "reasoning", "reasoning_content", "refusal", "role", "tool_calls", "function_call", "thinking")
FUNCTION = st.fixed_dictionaries({}, optional={"name": ANY, "arguments": ANY})
CALL = st.fixed_dictionaries({}, optional={"index": ANY, "id": ANY, "type": ANY, "function": FUNCTION | ANY})
DELTA = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, ANY) | {"tool_calls": st.lists(CALL, max_size=3)})
CHOICE = st.fixed_dictionaries(
    {},
    optional={"index": ANY, "delta": DELTA | ANY, "text": ANY, "message": DELTA | ANY, "finish_reason": ANY,
              "token_ids": ANY, "prompt_token_ids": ANY, "logprobs": ANY},
)  # fmt: skip
EVENT = st.fixed_dictionaries(
    {}, optional={"choices": st.lists(CHOICE | ANY, max_size=3) | ANY, "usage": ANY, "error": ANY, "object": ANY}
)
