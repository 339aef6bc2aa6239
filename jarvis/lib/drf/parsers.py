"""Bodies of the REST resources."""

import io
from collections.abc import Mapping
from typing import Any

from rest_framework.parsers import JSONParser

from jarvis.lib.json_text import to_utf8


class JsonParser(JSONParser):
    """JSON, also where a mark of its coding stands before it or its character set is another one."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        text = to_utf8(stream.read(), media_type or "")
        return super().parse(io.BytesIO(text), media_type, {**(parser_context or {}), "encoding": "utf-8"})
