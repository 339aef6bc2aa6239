"""All addresses: the API's are answered by `jarvis.web.api_handler`, the others are pages."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from chat.pages.chat import conversation, favicon, home, messages, source
from chat.pages.conversations import conversations, show_shared
from chat.pages.my_data import data, delete
from chat.pages.settings import defaults
from inference.api.resources import PlainUsageView
from inference.usage.views import usage, usage_csv
from jarvis.web.manifest import manifest

admin.autodiscover()
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]  # one sign-in, with all its locks

handler400 = "jarvis.web.bad_requests.bad_request"
handler404 = "jarvis.web.bad_requests.not_found"

urlpatterns = [
    path("", include("jarvis.api_urls")),
    path("v1/", include("inference.api.urls")),
    path("api/usage", PlainUsageView.as_view()),
    path("api/", include("jarvis.rest_urls")),
    path("", home, name="home"),
    path("c/<uuid:id>/", conversation, name="conversation"),
    path("c/<uuid:id>/messages/", messages, name="messages"),
    path("c/<uuid:id>/messages/<int:message>/source/", source, name="source"),
    path("conversations/", conversations, name="conversations"),
    path("s/<str:token>/", show_shared, name="shared"),
    path("favicon.ico", favicon),
    path("manifest.webmanifest", manifest, name="manifest"),
    path("", include("accounts.urls")),
    path("settings/chat/", defaults, name="settings_chat"),
    path("settings/data/", data, name="settings_data"),
    path("settings/data/delete/", delete, name="delete_account"),
    path("admin/password_change/", RedirectView.as_view(pattern_name="account_change_password")),
    path("usage/", usage, name="usage"),
    path("usage/usage.csv", usage_csv, name="usage-csv"),
    path("admin/", admin.site.urls),
]

handler429 = "accounts.throttling.too_many_response"
