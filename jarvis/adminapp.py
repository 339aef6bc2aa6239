"""The admin as an app: apart from its site, which needs all models."""

from django.contrib.admin.apps import SimpleAdminConfig


class JarvisAdmin(SimpleAdminConfig):
    """In the place of `django.contrib.admin` among the installed apps.

    The apps' admin modules are loaded with the addresses (`jarvis.urls`), so that a process without pages has none.
    """

    default_site = "jarvis.adminsite.Site"
