from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('inference', '0008_reasoning_and_error_param'),
    ]

    operations = [
        migrations.AddField(
            model_name='generation',
            name='behind',
            field=models.ForeignKey(blank=True, db_index=False, help_text='It is not claimed while this one is open.', null=True, on_delete=models.SET_NULL, related_name='followers', to='inference.generation'),
        ),
        migrations.AddIndex(
            model_name='generation',
            index=models.Index(condition=models.Q(('behind__isnull', False)), fields=['behind'], name='followers_of'),
        ),
    ]
