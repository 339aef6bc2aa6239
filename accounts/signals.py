"""What accounts tell to floors above, which they do not know."""

from django.dispatch import Signal

# A list of models was saved in the admin: `request`, `names`. Who knows the models may warn of names that are none.
models_listed = Signal()
