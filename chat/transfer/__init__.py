"""Conversations as files: export as JSON and Markdown, import of our own JSON and of other programs'.

docs/conversations.md describes the format.
"""

from chat.transfer.export import all_conversations_file, json_file, markdown_file
from chat.transfer.importer import import_file

__all__ = ["all_conversations_file", "import_file", "json_file", "markdown_file"]
