import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('chat', '0007_search_entries'),
        ('inference', '0010_names_for_people'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    # Words alone: nothing in the database changes, so it is not even asked.
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterModelOptions(
                    name='conversation',
                    options={'verbose_name': 'conversation', 'verbose_name_plural': 'conversations'},
                ),
                migrations.AlterModelOptions(
                    name='message',
                    options={'ordering': ['id'], 'verbose_name': 'message', 'verbose_name_plural': 'messages'},
                ),
                migrations.AlterModelOptions(
                    name='searchentry',
                    options={'verbose_name': 'search entry', 'verbose_name_plural': 'search entries'},
                ),
                migrations.AlterModelOptions(
                    name='searchword',
                    options={'verbose_name': 'search word', 'verbose_name_plural': 'search words'},
                ),
                migrations.AlterModelOptions(
                    name='share',
                    options={'verbose_name': 'shared link', 'verbose_name_plural': 'shared links'},
                ),
                migrations.AlterField(
                    model_name='conversation',
                    name='archived_at',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='archived'),
                ),
                migrations.AlterField(
                    model_name='conversation',
                    name='created_at',
                    field=models.DateTimeField(default=django.utils.timezone.now, verbose_name='created'),
                ),
                migrations.AlterField(
                    model_name='conversation',
                    name='deleted_at',
                    field=models.DateTimeField(blank=True, help_text='Gone from every list; removed for good later.', null=True, verbose_name='deleted'),
                ),
                migrations.AlterField(
                    model_name='conversation',
                    name='folder',
                    field=models.CharField(blank=True, max_length=60, verbose_name='folder'),
                ),
                migrations.AlterField(
                    model_name='conversation',
                    name='imported_from',
                    field=models.CharField(blank=True, help_text='Where it had which id: `chatgpt:…`.', max_length=100, verbose_name='imported from'),
                ),
                migrations.AlterField(
                    model_name='conversation',
                    name='leaf',
                    field=models.ForeignKey(blank=True, help_text='Last message of what is shown.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='chat.message', verbose_name='last message'),
                ),
                migrations.AlterField(
                    model_name='conversation',
                    name='model',
                    field=models.CharField(blank=True, help_text='Empty: the default model.', max_length=200, verbose_name='model'),
                ),
                migrations.AlterField(
                    model_name='conversation',
                    name='owner',
                    field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='conversations', to=settings.AUTH_USER_MODEL, verbose_name='owner'),
                ),
                migrations.AlterField(
                    model_name='conversation',
                    name='pinned_at',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='pinned'),
                ),
                migrations.AlterField(
                    model_name='conversation',
                    name='system_prompt',
                    field=models.TextField(blank=True, help_text="Empty: the owner's, else the site's.", verbose_name='instructions'),
                ),
                migrations.AlterField(
                    model_name='conversation',
                    name='temperature',
                    field=models.FloatField(blank=True, help_text="Empty: the owner's, else the model's own.", null=True, verbose_name='temperature'),
                ),
                migrations.AlterField(
                    model_name='conversation',
                    name='title',
                    field=models.CharField(blank=True, max_length=200, verbose_name='title'),
                ),
                migrations.AlterField(
                    model_name='conversation',
                    name='title_source',
                    field=models.CharField(choices=[('words', 'first words of the first question'), ('model', 'made by the model'), ('owner', 'written by the owner')], default='words', max_length=10, verbose_name='source of the title'),
                ),
                migrations.AlterField(
                    model_name='conversation',
                    name='titled_by',
                    field=models.OneToOneField(blank=True, help_text='What makes its title.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='inference.generation', verbose_name='titled by'),
                ),
                migrations.AlterField(
                    model_name='conversation',
                    name='updated_at',
                    field=models.DateTimeField(auto_now=True, help_text='When something was last said in it.', verbose_name='last changed'),
                ),
            ],
        ),
    ]
