"""All addresses: the API's are answered by `jarvis.api`, the others are pages."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path

from accounts.views import SignIn, first_admin
from chat.views import conversation, favicon, home

admin.site.site_header = admin.site.site_title = "Jarvis"

urlpatterns = [
    path("", include("jarvis.api_urls")),
    path("v1/", include("inference.openai.urls")),
    path("api/", include("jarvis.rest.urls")),
    path("", home, name="home"),
    path("c/<uuid:id>/", conversation, name="conversation"),
    path("favicon.ico", favicon),
    path("sign-in/", SignIn.as_view(), name="login"),
    path("sign-out/", LogoutView.as_view(), name="logout"),
    path("setup/<str:token>/", first_admin, name="setup"),
    path("admin/", admin.site.urls),
]
