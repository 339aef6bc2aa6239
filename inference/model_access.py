"""Who may use a model: the section of its page in the admin that shows every list of models, and changes the groups'.

A key, an account and a group may each name the models that are open to it; who names none may use all, and a call
needs every list that there is to name its model (`accounts.authentication.intersect_models`). So a model is not given
to a group, it is named in the group's list; and a list is never emptied here, for that would open everything.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Q, QuerySet
from django.dispatch import receiver
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import ApiKey, GroupLimits, UserLimits
from accounts.signals import models_listed
from inference.models import LanguageModel
from jarvis.lib.query import MAX_ROW_ID, parse_whole_number

MAX_LISTED_ROWS = 30  # of accounts and keys; others are a number
HAS_LIST = ~Q(allowed_models=[])


def lists_with(name: str) -> Q:
    return Q(allowed_models__contains=[name])


class GroupLists(forms.ModelMultipleChoiceField[GroupLimits]):
    """The lists of groups that have one."""

    def label_from_instance(self, obj: GroupLimits) -> str:
        more = len(obj.allowed_models) - 3
        names = ", ".join(obj.allowed_models[:3]) + (f" +{more}" if more > 0 else "")
        return f"{obj.group.name} ({names})"


class AccessForm(forms.ModelForm[LanguageModel]):
    group_lists = GroupLists(
        GroupLimits.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        show_hidden_initial=True,  # what was ticked when the page was shown: only what this person changed is changed
        label=gettext_lazy("Groups whose list names it"),
        help_text=gettext_lazy("Ticked: the model is in the group's list, which is shown behind its name."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = GroupLimits.objects.filter(HAS_LIST).select_related("group").order_by("group__name")
        lists = cast(GroupLists, self.fields["group_lists"])
        lists.queryset = rows
        self.initial["group_lists"] = [row.pk for row in rows if self.instance.name in row.allowed_models]

    def changes(self) -> tuple[set[int], set[int]]:
        """Keys of the lists that are to name the model from now on, and of those that are not to any more."""
        widget, place = self.fields["group_lists"].hidden_widget(), self.add_initial_prefix("group_lists")
        told = widget.value_from_datadict(self.data, self.files, place) or ()
        numbers = (parse_whole_number(value, MAX_ROW_ID) for value in told)
        shown = {number for number in numbers if number is not None}
        chosen = {row.pk for row in self.cleaned_data.get("group_lists") or ()}
        return chosen - shown, shown - chosen

    def clean_group_lists(self) -> QuerySet[GroupLimits]:
        chosen: QuerySet[GroupLimits] = self.cleaned_data["group_lists"]
        for row in self.fields["group_lists"].queryset:  # type: ignore[attr-defined]
            if row.allowed_models == [self.instance.name] and row not in chosen:
                text = _("%(group)s would name no model, and so might use all. Name another in its limits first.")
                raise forms.ValidationError(text % {"group": row.group.name})
        return chosen

    @transaction.atomic
    def save_lists(self, name: str) -> None:
        """Put what was ticked into the groups' lists, and take out what was unticked; nothing else of them changes."""
        named, unnamed = self.changes()
        for row in GroupLimits.objects.select_for_update().filter(HAS_LIST, pk__in=named | unnamed).order_by("pk"):
            rest = [other for other in row.allowed_models if other != name]
            models = [*rest, name] if row.pk in named else rest
            if models and models != row.allowed_models:  # emptied meanwhile by somebody else: then it stays as it is
                row.allowed_models = models
                row.save(update_fields=["allowed_models"])


@receiver(models_listed)
def warn_of_unknown_models(request: HttpRequest, names: Sequence[str], **_rest: Any) -> None:
    """Say which names of a list that was saved are no model. It is saved all the same: a model may come later."""
    known = list(LanguageModel.objects.values_list("name", flat=True))
    for name in (name for name in names if name not in known):
        close = get_close_matches(name.casefold(), {other.casefold(): other for other in known}, n=1)
        meant = next((other for other in known if close and other.casefold() == close[0]), "")
        text = _("There is no model %(name)s.") % {"name": name}
        hint = _("Is %(name)s meant?") % {"name": meant}
        messages.warning(request, f"{text} {hint}" if meant else text)
    offered = {model.name for model in LanguageModel.objects.offered()}
    if names and not offered.intersection(names):
        messages.warning(request, _("None of the models in this list is offered now: whom it is for can use none."))


def may_see(request: HttpRequest) -> bool:
    return all(request.user.has_perm(f"accounts.view_{of}") for of in ("grouplimits", "userlimits", "apikey"))


def may_change(request: HttpRequest) -> bool:
    return may_see(request) and request.user.has_perm("accounts.change_grouplimits")


def free_groups() -> SafeString | str:
    """Groups without a list, with links to where one is made."""
    free = Group.objects.exclude(pk__in=GroupLimits.objects.filter(HAS_LIST).values("pk")).order_by("name")
    limited = set(GroupLimits.objects.values_list("pk", flat=True))
    add = reverse("admin:accounts_grouplimits_add")

    def place(group: Group) -> str:
        made = group.pk in limited
        return reverse("admin:accounts_grouplimits_change", args=[group.pk]) if made else f"{add}?group={group.pk}"

    return link_rows([(place(group), group.name) for group in free[:MAX_LISTED_ROWS]], free.count())


def groups_naming(name: str) -> SafeString | str:
    found = GroupLimits.objects.filter(HAS_LIST & lists_with(name)).select_related("group").order_by("group__name")
    rows = [
        (reverse("admin:accounts_grouplimits_change", args=[row.pk]), row.group.name) for row in found[:MAX_LISTED_ROWS]
    ]
    return link_rows(rows, found.count())


def accounts_with(condition: Q) -> SafeString | str:
    """Accounts whose own list fulfils it."""
    found = UserLimits.objects.filter(HAS_LIST & condition).select_related("user").order_by("user__username")
    rows = [
        (reverse("admin:accounts_userlimits_change", args=[row.pk]), row.user.username)
        for row in found[:MAX_LISTED_ROWS]
    ]
    return link_rows(rows, found.count())


def keys_with(condition: Q) -> SafeString | str:
    """Keys that are not revoked and whose own list fulfils it."""
    found = ApiKey.objects.filter(HAS_LIST & condition, revoked_at=None).select_related("owner").order_by("label", "pk")
    rows = [
        (reverse("admin:accounts_apikey_change", args=[key.pk]), f"{key.label} ({key.owner.username})")
        for key in found[:MAX_LISTED_ROWS]
    ]
    return link_rows(rows, found.count())


def link_rows(rows: Iterable[tuple[str, str]], count: int) -> SafeString | str:
    chosen = list(rows)
    if not chosen:
        return _("none")
    links = format_html_join(", ", '<a href="{}">{}</a>', chosen)
    left = count - len(chosen)
    return format_html("{} {}", links, ngettext("and %d more", "and %d more", left) % left) if left else links
