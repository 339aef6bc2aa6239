"""Conversations as files: given as JSON and Markdown, taken from our own JSON and from ChatGPT's export.

docs/conversations.md describes the format.
"""

from chat.transfer.export import everything_file, json_file, markdown_file
from chat.transfer.importer import take

__all__ = ["everything_file", "json_file", "markdown_file", "take"]
