"""Conversations from before there were versions are one line: each message follows the one before it."""

from django.db import migrations

LINK = """
UPDATE chat_message m SET parent_id = line.before
FROM (SELECT id, lag(id) OVER (PARTITION BY conversation_id ORDER BY id) AS before FROM chat_message) line
WHERE m.id = line.id AND m.parent_id IS NULL AND line.before IS NOT NULL
"""
END = """
UPDATE chat_conversation c SET leaf_id = line.last
FROM (SELECT conversation_id, max(id) AS last FROM chat_message GROUP BY conversation_id) line
WHERE c.id = line.conversation_id AND c.leaf_id IS NULL
"""


class Migration(migrations.Migration):

    dependencies = [
        ('chat', '0003_continued'),
    ]

    operations = [
        migrations.RunSQL(LINK, migrations.RunSQL.noop),
        migrations.RunSQL(END, migrations.RunSQL.noop),
    ]
