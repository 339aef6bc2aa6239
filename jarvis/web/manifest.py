"""What a phone or desktop needs to install the page as an app."""

from django.http import HttpRequest, JsonResponse
from django.templatetags.static import static
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe


@require_safe
@cache_control(public=True, max_age=3600)
def manifest(request: HttpRequest) -> JsonResponse:
    icons = [
        {"src": static(f"accounts/{name}.png"), "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}
        for name, size, purpose in (("icon-192", 192, "any"), ("icon-512", 512, "any"), ("maskable", 512, "maskable"))
    ]
    fields = {
        "id": "/",
        "name": "Jarvis",
        "short_name": "Jarvis",
        "description": "A self-hosted assistant.",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#2f5bea",
        "icons": icons,
    }
    return JsonResponse(fields, content_type="application/manifest+json")
