"""Requests as scripts send them. `tests/jarvis/test_api_document.py` sees to it that Jarvis takes each."""

from typing import Any

HELLO = [{"role": "user", "content": "How do I create an API key?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a town.",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}

CHAT_COMPLETIONS: dict[str, dict[str, Any]] = {
    "Whole": {"model": "guide", "messages": HELLO},
    "Streamed": {"model": "guide", "messages": HELLO, "stream": True, "stream_options": {"include_usage": True}},
    "Tools": {
        "model": "guide",
        "messages": [{"role": "user", "content": "Is it raining in Bilbao?"}],
        "tools": [WEATHER],
        "tool_choice": "auto",
    },
    "JSON": {
        "model": "guide",
        "messages": [{"role": "user", "content": "Ana is 31."}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}},
    },
}
QUESTIONS: dict[str, dict[str, Any]] = {
    "New": {"message": "How do I create an API key?"},
    "Continued": {"message": "And how do I revoke it?", "conversation": "6f1c9a52-3a8e-4d57-9c55-0d3f0a1b2c3d"},
}
STREAM_OF_CHUNKS = (
    'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767225600,"model":"guide","choices":'
    '[{"index":0,"delta":{"content":"Open"},"logprobs":null,"finish_reason":null}]}\n\ndata: [DONE]\n\n'
)
STREAM_OF_TOKENS = 'data: {"token":"Open"}\n\ndata: {"done":true,"finish_reason":"stop","tokens_used":12}\n\n'
