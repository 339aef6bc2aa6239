"""What the database knows of the Jarvis that uses it."""

from django.db import models


class SecretKeyMark(models.Model):
    """One row: a word signed with the secret key of whoever used this database first, never the key itself."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    signed = models.TextField()

    class Meta:
        default_permissions = ()  # nobody sees or changes it in the admin
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_mark_of_the_secret_key")]

    def __str__(self) -> str:
        return "mark of the secret key"
