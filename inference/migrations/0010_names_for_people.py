import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import inference.models.catalogue
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0009_names_for_people'),
        ('inference', '0009_behind'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    # Words alone: nothing in the database changes, so it is not even asked.
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterModelOptions(
                    name='generation',
                    options={'verbose_name': 'call', 'verbose_name_plural': 'calls'},
                ),
                migrations.AlterModelOptions(
                    name='languagemodel',
                    options={'verbose_name': 'language model', 'verbose_name_plural': 'language models'},
                ),
                migrations.AlterModelOptions(
                    name='pausedplace',
                    options={'verbose_name': 'paused worker', 'verbose_name_plural': 'paused workers'},
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='attempt',
                    field=models.PositiveIntegerField(default=0, verbose_name='attempt'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='behind',
                    field=models.ForeignKey(blank=True, db_index=False, help_text='It is not claimed while this one is open.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='followers', to='inference.generation', verbose_name='waits for'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='cached_tokens',
                    field=models.PositiveIntegerField(default=0, verbose_name='of tokens in, cached'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='choices',
                    field=models.JSONField(help_text='OpenAI choices where the answer is more than plain text.', null=True, verbose_name='choices'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='completion_tokens',
                    field=models.PositiveIntegerField(default=0, verbose_name='tokens out'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='cost',
                    field=models.DecimalField(decimal_places=12, help_text="By the model's prices when it ended, exact; none where the model had no price.", max_digits=24, null=True, verbose_name='cost'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='created_at',
                    field=models.DateTimeField(default=django.utils.timezone.now, verbose_name='asked'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='door',
                    field=models.CharField(help_text='Where it came in: chat, api or v1.', max_length=10, verbose_name='way in'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='engine_deaths',
                    field=models.PositiveSmallIntegerField(default=0, verbose_name='ends of the engine'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='error_code',
                    field=models.CharField(blank=True, max_length=50, verbose_name='error'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='error_message',
                    field=models.TextField(blank=True, verbose_name='error message'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='error_param',
                    field=models.CharField(blank=True, help_text='The parameter of the request that it belongs to.', max_length=200, verbose_name='parameter at fault'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='finish_reason',
                    field=models.CharField(blank=True, max_length=20, verbose_name='reason for the end'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='finished_at',
                    field=models.DateTimeField(null=True, verbose_name='ended'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='first_token_at',
                    field=models.DateTimeField(null=True, verbose_name='first token'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='key',
                    field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='generations', to='accounts.apikey', verbose_name='API key'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='lease_until',
                    field=models.DateTimeField(null=True, verbose_name='held until'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='lost_workers',
                    field=models.PositiveSmallIntegerField(default=0, help_text='Workers that died while they held it.', verbose_name='lost workers'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='model',
                    field=models.CharField(max_length=200, verbose_name='model'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='on_probation',
                    field=models.BooleanField(default=False, help_text='Alone with a worker, which it may be about to end.', verbose_name='on probation'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='owner',
                    field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='generations', to=settings.AUTH_USER_MODEL, verbose_name='user'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='priority',
                    field=models.SmallIntegerField(default=0, help_text="Of the owner's groups; each step counts double.", verbose_name='priority'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='prompt_tokens',
                    field=models.PositiveIntegerField(default=0, verbose_name='tokens in'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='reasoning_tokens',
                    field=models.PositiveIntegerField(help_text='Of the completion tokens, as the engine counts them; none where it does not.', null=True, verbose_name='of tokens out, reasoning'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='request',
                    field=models.JSONField(help_text='The validated OpenAI request; emptied by retention.', null=True, verbose_name='request'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='request_id',
                    field=models.CharField(help_text='Follows the call through the logs of all processes.', max_length=64, verbose_name='request id'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='reserved',
                    field=models.PositiveIntegerField(default=0, help_text='Tokens that it may take at most, as budgets count it.', verbose_name='tokens reserved'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='started_at',
                    field=models.DateTimeField(null=True, verbose_name='started'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='status',
                    field=models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('done', 'Answered'), ('stopped', 'Stopped'), ('failed', 'Failed')], default='queued', max_length=10, verbose_name='status'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='stop_asked_at',
                    field=models.DateTimeField(null=True, verbose_name='asked to stop'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='text',
                    field=models.TextField(blank=True, verbose_name='text'),
                ),
                migrations.AlterField(
                    model_name='generation',
                    name='worker',
                    field=models.CharField(blank=True, max_length=200, verbose_name='worker'),
                ),
                migrations.AlterField(
                    model_name='languagemodel',
                    name='created_at',
                    field=models.DateTimeField(auto_now_add=True, verbose_name='added'),
                ),
                migrations.AlterField(
                    model_name='languagemodel',
                    name='default',
                    field=models.BooleanField(default=False, verbose_name='default'),
                ),
                migrations.AlterField(
                    model_name='languagemodel',
                    name='enabled',
                    field=models.BooleanField(default=True, verbose_name='offered'),
                ),
                migrations.AlterField(
                    model_name='languagemodel',
                    name='engine_args',
                    field=models.TextField(blank=True, help_text="More arguments for vLLM's server, as on its command line. Taken when the engine next starts.", validators=[inference.models.catalogue.usable_arguments], verbose_name='arguments'),
                ),
                migrations.AlterField(
                    model_name='languagemodel',
                    name='goes_on',
                    field=models.BooleanField(default=True, editable=False, help_text='With an answer that broke off, from its text; not every server can.', verbose_name='continues'),
                ),
                migrations.AlterField(
                    model_name='languagemodel',
                    name='kind',
                    field=models.CharField(choices=[('local', 'held by a worker'), ('remote', 'served elsewhere')], default='local', max_length=10, verbose_name='kind'),
                ),
                migrations.AlterField(
                    model_name='languagemodel',
                    name='max_model_len',
                    field=models.PositiveIntegerField(default=0, help_text='Context window in tokens; 0: not known yet.', verbose_name='window'),
                ),
                migrations.AlterField(
                    model_name='languagemodel',
                    name='name',
                    field=models.CharField(help_text='What people and scripts call it.', max_length=200, unique=True, verbose_name='name'),
                ),
                migrations.AlterField(
                    model_name='languagemodel',
                    name='price_cached',
                    field=models.DecimalField(blank=True, decimal_places=6, help_text='For a million prompt tokens that the engine had in its cache. Empty: the price of other prompt tokens.', max_digits=12, null=True, validators=[django.core.validators.MinValueValidator(0)], verbose_name='price of cached input'),
                ),
                migrations.AlterField(
                    model_name='languagemodel',
                    name='price_input',
                    field=models.DecimalField(blank=True, decimal_places=6, help_text='For a million prompt tokens. Empty: no price.', max_digits=12, null=True, validators=[django.core.validators.MinValueValidator(0)], verbose_name='price of input'),
                ),
                migrations.AlterField(
                    model_name='languagemodel',
                    name='price_output',
                    field=models.DecimalField(blank=True, decimal_places=6, help_text='For a million tokens of answers. Empty: no price.', max_digits=12, null=True, validators=[django.core.validators.MinValueValidator(0)], verbose_name='price of output'),
                ),
                migrations.AlterField(
                    model_name='languagemodel',
                    name='registered',
                    field=models.BooleanField(default=False, editable=False, help_text='Entered by a worker, not a person.', verbose_name='registered'),
                ),
                migrations.AlterField(
                    model_name='languagemodel',
                    name='source',
                    field=models.CharField(help_text="`guide`, a hub id, a folder, or a server's address.", max_length=500, verbose_name='source'),
                ),
                migrations.AlterField(
                    model_name='pausedplace',
                    name='at',
                    field=models.DateTimeField(auto_now_add=True, verbose_name='time'),
                ),
                migrations.AlterField(
                    model_name='pausedplace',
                    name='by',
                    field=models.CharField(help_text='Who paused it.', max_length=150, verbose_name='who'),
                ),
                migrations.AlterField(
                    model_name='pausedplace',
                    name='place',
                    field=models.CharField(max_length=400, primary_key=True, serialize=False, verbose_name='place'),
                ),
                migrations.AlterField(
                    model_name='usageday',
                    name='made_at',
                    field=models.DateTimeField(verbose_name='counted'),
                ),
            ],
        ),
    ]
