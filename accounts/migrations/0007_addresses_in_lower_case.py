"""Addresses as sign-in and resets look for them. What then belongs to several accounts is told by
`accounts.name_clashes.keep_names_unique`, which runs after each migration; nothing is taken from anybody."""

from typing import Any

from django.db import migrations
from django.db.models.functions import Lower, Trim


def lower_addresses(apps: Any, schema_editor: Any) -> None:
    users = apps.get_model("auth", "User").objects.using(schema_editor.connection.alias)
    for user in users.exclude(email=Lower(Trim("email"))).only("email"):
        users.filter(pk=user.pk).update(email=user.email.strip().lower())


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("accounts", "0006_key_addresses"),
    ]
    operations = [migrations.RunPython(lower_addresses, migrations.RunPython.noop)]
