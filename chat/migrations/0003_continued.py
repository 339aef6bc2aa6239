import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('chat', '0002_organised'),
    ]

    operations = [
        migrations.AddField(
            model_name='message',
            name='continues',
            field=models.ForeignKey(blank=True, help_text='Of an answer: the stopped one whose text it begins with.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='continued_by', to='chat.message'),
        ),
    ]
