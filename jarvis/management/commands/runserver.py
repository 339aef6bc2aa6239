"""`manage.py runserver`: Daphne's, which serves sockets as well as pages.

Daphne is no app of ours, as its manual has it: then every process would load it, and Twisted with it, and only the ones
that serve with it need to.
"""

from daphne.management.commands.runserver import Command

__all__ = ["Command"]
