"""Actions of a list as buttons on the page of each object, where one looks for them."""

from typing import Any, ClassVar

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.functional import Promise

from jarvis.lib.admin_filters import NamedFilters


class ActionButtons(NamedFilters):
    """A list whose actions can be done on an object's page as well, by the same code and the same rights.

    `action_buttons`: the words on the button of each action that has one, by the action's name.
    """

    action_buttons: ClassVar[dict[str, str | Promise]] = {}

    def offers_action(self, name: str, obj: Any) -> bool:
        """Whether the action would do anything to the object as it is."""
        return True

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.act)
        name = f"{self.opts.app_label}_{self.opts.model_name}_act"
        return [path("<path:object_id>/do/<slug:action>/", view, name=name), *super().get_urls()]

    def act(self, request: HttpRequest, object_id: str, action: str) -> HttpResponseBase:
        """Do one action to one object."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        obj = self.get_object(request, unquote(object_id))
        if obj is None or action not in self.action_buttons:
            raise Http404
        do = self.get_actions(request).get(action)
        if do is None or not self.has_view_or_change_permission(request, obj):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        function: Any = do[0]
        answer: HttpResponseBase | None = function(self, request, self.get_queryset(request).filter(pk=obj.pk))
        return answer or redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", object_id)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        buttons = {"action_buttons": self.list_buttons(request, object_id)}
        return super().change_view(request, object_id, form_url, buttons | (extra_context or {}))

    def list_buttons(self, request: HttpRequest, object_id: str) -> list[tuple[str, str | Promise]]:
        """Name and words of what this person may do to the object now."""
        if not self.has_view_or_change_permission(request):
            return []
        obj, allowed = self.get_object(request, unquote(object_id)), self.get_actions(request)
        return [
            (name, words)
            for name, words in self.action_buttons.items()
            if obj is not None and name in allowed and self.offers_action(name, obj)
        ]
