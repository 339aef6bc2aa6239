"""Serializers that refuse what they do not know."""

from typing import Any

from rest_framework import serializers


class Strict(serializers.Serializer[Any]):
    """Refuses fields that it does not know, and those that only Jarvis may set, instead of passing over them."""

    def to_internal_value(self, data: Any) -> Any:
        writable = {name for name, field in self.fields.items() if not field.read_only}
        for name in data if isinstance(data, dict) else ():
            if name not in writable:
                known = ", ".join(sorted(writable)) or "nothing"
                raise serializers.ValidationError({name: f"This cannot be set. What can be is: {known}."})
        return super().to_internal_value(data)
