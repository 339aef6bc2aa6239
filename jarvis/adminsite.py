"""The admin: Django's own, with a first page that shows how things are, and pages for workers and the queue."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.audit import record_event
from inference import workers as operate
from inference.models import Generation
from inference.queue.submit import stop_generations_sync
from inference.usage.dashboard import Dashboard, queue_groups, queue_summary, worker_cards
from jarvis.lib.config import config
from jarvis.lib.query import MAX_ROW_ID, parse_whole_number

APP_ORDER = ("inference", "accounts", "auth", "chat")  # of the apps in lists; others come after
MAX_CANCELLED_CALLS = 1000  # calls at a time


class Site(AdminSite):
    site_header = site_title = "Jarvis"
    index_title = gettext_lazy("Overview")
    index_template = "admin/overview.html"

    def get_urls(self) -> list[URLResolver | URLPattern]:
        own: list[URLResolver | URLPattern] = [
            path("workers/", self.admin_view(self.workers), name="workers"),
            path("queue/", self.admin_view(self.queue), name="queue"),
        ]
        return own + super().get_urls()

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """Django's list with our two pages in it, and what an operator needs most first."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            if app["app_label"] == "inference" and request.user.has_perm("inference.view_generation"):
                pages = ((_("Workers"), "workers"), (_("Queue"), "queue"))
                app["models"] += [
                    {"name": name, "object_name": page, "admin_url": reverse(f"admin:{page}"), "view_only": True}
                    for name, page in pages
                ]
            if app["app_label"] == "auth":
                app["name"] = _("Users and groups")
        place = {label: number for number, label in enumerate(APP_ORDER)}
        return sorted(apps, key=lambda app: place.get(app["app_label"], len(APP_ORDER)))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        seen = request.user.has_perm("inference.view_generation")
        return super().index(request, {"board": Dashboard() if seen else None, **(extra_context or {})})

    def workers(self, request: HttpRequest) -> HttpResponse:
        """Who is alive, and the button that pauses and resumes."""
        self.require_permission(request, "inference.view_generation")
        workers = worker_cards()
        if request.method == "POST":
            self.require_permission(request, "inference.change_pausedplace")
            found = [w.state for w in workers or () if w.state.id == request.POST.get("worker")]
            if not found:
                messages.error(request, _("This worker has ended."))
            elif request.POST.get("do") == "pause":
                operate.pause_worker(found[0], cast(User, request.user))
                messages.success(request, _("%s takes nothing new and finishes what it runs.") % found[0].host)
            else:
                operate.resume_worker(found[0])
                messages.success(request, _("%s takes work again.") % found[0].host)
            return redirect("admin:workers")
        context = {
            **self.each_context(request),
            "title": _("Workers"),
            "workers": workers or [],
            "away": workers is None,
            "may_pause": request.user.has_perm("inference.change_pausedplace"),
        }
        return TemplateResponse(request, "admin/workers.html", context)

    def queue(self, request: HttpRequest) -> HttpResponse:
        """Who waits for what, and the button that cancels what somebody waits for."""
        self.require_permission(request, "inference.view_generation")
        if request.method == "POST":
            self.require_permission(request, "inference.change_generation")
            owner = request.POST.get("owner", "")
            waiting = Generation.objects.queued().filter(
                owner_id=parse_whole_number(owner, MAX_ROW_ID), model=request.POST.get("model")
            )
            ids = list(waiting.values_list("pk", flat=True)[:MAX_CANCELLED_CALLS])
            stop_generations_sync(ids)
            record_event("queue.cancelled", owner=owner, model=request.POST.get("model"), calls=len(ids))
            messages.success(request, ngettext("%d call is cancelled.", "%d calls are cancelled.", len(ids)) % len(ids))
            return redirect("admin:queue")
        context = {
            **self.each_context(request),
            "title": _("Queue"),
            "totals": queue_summary(),
            "groups": queue_groups(),
            "limit": config.queue_limit,
            "may_cancel": request.user.has_perm("inference.change_generation"),
        }
        return TemplateResponse(request, "admin/queue.html", context)

    @staticmethod
    def require_permission(request: HttpRequest, right: str) -> None:
        if not request.user.has_perm(right):
            raise PermissionDenied
