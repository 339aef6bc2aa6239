"""Words of the page that are not in its template, in the reader's language."""

from django.utils.translation import gettext as _


def suggestions(*, guide: bool) -> list[str]:
    """First questions to offer; the built-in guide is asked about Jarvis itself."""
    if guide:
        return [
            _("How do I create an API key?"),
            _("How do I load a full model?"),
            _("How do I ask from a script?"),
            _("What can you do?"),
        ]
    return [
        _("Explain a hard idea in simple words"),
        _("Help me write a difficult e-mail"),
        _("Find the mistake in a piece of code"),
        _("Plan a weekend with little money"),
    ]


def script_strings() -> dict[str, str]:
    """What the scripts say; `{name}` is filled in by them."""
    return {
        "connecting": _("Connecting…"),
        "reconnecting": _("Reconnecting…"),
        "gone": _("No connection to Jarvis. What you send now is kept, and sent once as soon as it is back."),
        "ready": _("{model} is ready"),
        "starting": _("Starting {model}…"),
        "loading": _("Loading {model}…"),
        "warming": _("Warming up {model}…"),
        "failed": _("{model} could not be started"),
        "stopped": _("The engine is stopped"),
        "absent": _("No worker is running"),
        "unknown": _("State not known"),
        "may_ask": _("You can ask already: questions wait in the queue and are answered in order."),
        "waits": _("Questions wait in the queue until this is mended."),
        "queued": _("Waiting in the queue"),
        "thinking": _("Thinking"),
        "sending": _("Sending…"),
        "unsent": _("Not sent yet. It is sent as soon as the connection is back."),
        "retrying": _("Not accepted yet: {message} It is sent again by itself."),
        "refused": _("Not sent: {message}"),
        "edit": _("Edit"),
        "stopped_note": _("Stopped. What was written is kept."),
        "cut_note": _("The answer reached its longest length."),
        "empty_note": _("The model gave an empty answer. Ask in other words."),
        "failed_note": _("This answer failed: {message}"),
        "ask_again": _("Ask again"),
        "copy": _("Copy"),
        "copied": _("Copied"),
        "not_copied": _("Not copied"),
        "left": _("{count} characters left"),
        "over": _("{count} characters too many"),
        "you": _("You"),
        "jarvis": _("Jarvis"),
        "growing": _("An answer is growing here"),
        "next": _("Next in the queue"),
        "place": _("Number {position} in the queue"),
        "about_seconds": _("about {number} s"),
        "about_minutes": _("about {number} min"),
        "your_question": _("Your question"),
        "send": _("Send"),
        "cancel": _("Cancel"),
        "continue": _("Continue"),
        "regenerate": _("Answer again"),
        "again_with": _("Answer again with"),
        "versions": _("Versions"),
        "version": _("Version"),
        "previous_version": _("Previous version"),
        "next_version": _("Next version"),
        "read_aloud": _("Read aloud"),
        "not_heard": _("Nothing could be heard: {error}"),
        "model_ready": "{model} ✓",
        "not_saved": _("No connection. Save again when it is back."),
        "details": _("Details of this answer"),
        "looking": _("Looking…"),
        "fact_model": _("Model"),
        "fact_temperature": _("Temperature"),
        "fact_asked": _("Asked"),
        "fact_queue": _("In the queue"),
        "fact_first": _("First token after"),
        "fact_whole": _("Whole after"),
        "fact_in": _("Tokens in"),
        "fact_out": _("Tokens out"),
        "fact_speed": _("Speed"),
        "seconds": _("{number} s"),
        "per_second": _("{number} tokens/s"),
        "of_these_cached": _("{number}, {cached} of them cached"),
    }
