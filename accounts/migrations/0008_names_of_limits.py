from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_addresses_in_lower_case")]
    operations = [
        migrations.AlterModelOptions(
            name="userlimits",
            options={"verbose_name": "limits of accounts", "verbose_name_plural": "limits of accounts"},
        ),
        migrations.AlterModelOptions(
            name="grouplimits",
            options={"verbose_name": "limits of groups", "verbose_name_plural": "limits of groups"},
        ),
    ]
