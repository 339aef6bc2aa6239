"""The admin as an app: apart from its site, which needs all models."""

from django.contrib.admin.apps import AdminConfig


class JarvisAdmin(AdminConfig):
    """In the place of `django.contrib.admin` among the installed apps."""

    default_site = "jarvis.adminsite.Site"
