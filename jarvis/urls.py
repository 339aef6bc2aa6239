from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("jarvis.api_urls")),
    path("v1/", include("inference.openai.urls")),
    path("admin/", admin.site.urls),
]
