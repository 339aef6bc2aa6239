import accounts.models
import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0008_names_of_limits'),
        ('auth', '0012_alter_user_first_name_max_length'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    # Words alone: nothing in the database changes, so it is not even asked.
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterModelOptions(
                    name='apikey',
                    options={'ordering': ['-created_at'], 'verbose_name': 'API key', 'verbose_name_plural': 'API keys'},
                ),
                migrations.AlterModelOptions(
                    name='auditevent',
                    options={'ordering': ['-at', '-id'], 'verbose_name': 'audit event', 'verbose_name_plural': 'audit log'},
                ),
                migrations.AlterModelOptions(
                    name='grouplimits',
                    options={'verbose_name': 'limits of a group', 'verbose_name_plural': 'limits of groups'},
                ),
                migrations.AlterModelOptions(
                    name='preferences',
                    options={'verbose_name': 'preferences', 'verbose_name_plural': 'preferences'},
                ),
                migrations.AlterModelOptions(
                    name='userlimits',
                    options={'verbose_name': 'limits of an account', 'verbose_name_plural': 'limits of accounts'},
                ),
                migrations.AlterField(
                    model_name='apikey',
                    name='addresses',
                    field=models.JSONField(default=dict, editable=False, help_text='Where it came from, each with the second when it first did.', verbose_name='addresses'),
                ),
                migrations.AlterField(
                    model_name='apikey',
                    name='created_at',
                    field=models.DateTimeField(auto_now_add=True, verbose_name='created'),
                ),
                migrations.AlterField(
                    model_name='apikey',
                    name='created_by',
                    field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='keys_made', to=settings.AUTH_USER_MODEL, verbose_name='made by'),
                ),
                migrations.AlterField(
                    model_name='apikey',
                    name='digest',
                    field=models.CharField(editable=False, max_length=64, unique=True, verbose_name='hash of the secret'),
                ),
                migrations.AlterField(
                    model_name='apikey',
                    name='expires_at',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='expires'),
                ),
                migrations.AlterField(
                    model_name='apikey',
                    name='label',
                    field=models.CharField(max_length=100, verbose_name='label'),
                ),
                migrations.AlterField(
                    model_name='apikey',
                    name='last_used_at',
                    field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='last used'),
                ),
                migrations.AlterField(
                    model_name='apikey',
                    name='last_used_from',
                    field=models.CharField(blank=True, editable=False, help_text='An address.', max_length=50, verbose_name='last used from'),
                ),
                migrations.AlterField(
                    model_name='apikey',
                    name='owner',
                    field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='api_keys', to=settings.AUTH_USER_MODEL, verbose_name='owner'),
                ),
                migrations.AlterField(
                    model_name='apikey',
                    name='prefix',
                    field=models.CharField(editable=False, max_length=9, verbose_name='begins with'),
                ),
                migrations.AlterField(
                    model_name='apikey',
                    name='previous_digest',
                    field=models.CharField(db_index=True, editable=False, max_length=64, null=True, verbose_name='hash of the former secret'),
                ),
                migrations.AlterField(
                    model_name='apikey',
                    name='previous_until',
                    field=models.DateTimeField(editable=False, help_text='The former secret works until then.', null=True, verbose_name='former secret until'),
                ),
                migrations.AlterField(
                    model_name='apikey',
                    name='revoked_at',
                    field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='revoked'),
                ),
                migrations.AlterField(
                    model_name='apikey',
                    name='scopes',
                    field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('chat', 'chat: ask and get answers'), ('embeddings', 'embeddings'), ('models', 'models: list them and their state'), ('history', 'history: read and clear conversations'), ('admin-read', 'admin-read: read what administrators see')], max_length=20), default=accounts.models.everyday, size=None, verbose_name='scopes'),
                ),
                migrations.AlterField(
                    model_name='auditevent',
                    name='event',
                    field=models.CharField(db_index=True, help_text='What was done, as key.revoked.', max_length=40, verbose_name='event'),
                ),
                migrations.AlterField(
                    model_name='grouplimits',
                    name='group',
                    field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='limits', serialize=False, to='auth.group', verbose_name='group'),
                ),
                migrations.AlterField(
                    model_name='userlimits',
                    name='user',
                    field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='limits', serialize=False, to=settings.AUTH_USER_MODEL, verbose_name='user'),
                ),
                migrations.AlterField(
                    model_name='invitation',
                    name='digest',
                    field=models.CharField(editable=False, max_length=64, unique=True, verbose_name='hash of the secret'),
                ),
            ],
        ),
    ]
