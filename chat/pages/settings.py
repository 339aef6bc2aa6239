"""The page of a person's chat settings: model, prompt and temperature of new conversations, and voice."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.authentication import build_caller
from accounts.models import Preferences
from inference.models import LanguageModel
from jarvis.lib.config import MAX_SYSTEM_PROMPT_CHARS, config


class DefaultsForm(forms.ModelForm[Preferences]):
    model = forms.ChoiceField(label=gettext_lazy("Model"), required=False)
    system_prompt = forms.CharField(
        label=gettext_lazy("System prompt"),
        required=False,
        max_length=MAX_SYSTEM_PROMPT_CHARS,
        widget=forms.Textarea({"rows": 5}),
        help_text=gettext_lazy("What Jarvis is told before each conversation."),
    )
    temperature = forms.FloatField(
        label=gettext_lazy("Temperature"),
        required=False,
        min_value=0,
        max_value=2,
        widget=forms.NumberInput({"step": "0.1", "inputmode": "decimal"}),
        help_text=gettext_lazy("From 0, always the likeliest word, to 2. Empty: the model's own."),
    )

    class Meta:
        model = Preferences
        fields = ["model", "system_prompt", "temperature", "speak", "listen"]
        labels = {"speak": gettext_lazy("Read answers aloud"), "listen": gettext_lazy("Ask by voice")}
        help_texts = {
            "speak": gettext_lazy("With the voice of this browser, where it has one."),
            "listen": gettext_lazy("When you press the microphone. Some browsers send what they hear to their maker."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [model.name for model in LanguageModel.objects.open_to(build_caller(self.instance.user))]
        chosen = self.instance.model
        gone = (
            [(chosen, chosen)] if chosen and chosen not in names else []
        )  # it may be offered again, so saving keeps it
        first = (("", _("The site's default")), *gone)
        self.fields["model"].choices = [*first, *((name, name) for name in names)]  # type: ignore[attr-defined]
        self.fields["system_prompt"].widget.attrs["placeholder"] = config.system_prompt


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def defaults(request: HttpRequest) -> HttpResponse:
    form = DefaultsForm(request.POST or None, instance=Preferences.for_user(request.user))
    if form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("settings_chat")
    return render(request, "chat/preferences.html", {"form": form}, status=422 if form.is_bound else 200)
