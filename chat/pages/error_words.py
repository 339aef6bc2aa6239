"""What a reader of the page is told of an error, by its code word: what has happened, and what they can do about it.

The API's own sentences are for programmers, in English, and speak of headers and parameters.
"""

from django.utils.translation import gettext as _

OTHER = "other"


def error_sentences() -> dict[str, str]:
    """By code word, in the reader's language; `OTHER` for those that are not named."""
    broken = _("Something went wrong in Jarvis. Try again; if it fails again, tell an administrator.")
    return {
        OTHER: broken,
        "internal_error": broken,
        # what was asked is not accepted
        "invalid_request_error": _("This could not be accepted as it is. Rephrase it, or choose another model."),
        "invalid_frame": _("This page is out of date. Reload it."),
        "frame_too_large": _("This is too much to send at once. Shorten it."),
        "cannot_continue": _("This answer cannot be continued. Have another answer instead."),
        "model_not_found": _("This model is not available to you. Choose another one."),
        "no_model_allowed": _("No model is open to you. An administrator can change that."),
        "conversation_not_found": _("This conversation no longer exists."),
        "not_found": _("This no longer exists. Reload the page."),
        "permission_denied": _("You may not do this."),
        "too_many_followed": _("Too many answers are being written at once. Wait for one to finish."),
        "insufficient_quota": _("Your tokens for this month are used up. An administrator can give you more."),
        # not now
        "overloaded": _("Many people are asking at the moment."),
        "model_loading": _("The model is being loaded."),
        "unavailable": _("Jarvis cannot be reached at the moment."),
        "rate_limit_exceeded": _("You have asked a lot in a short time."),
        # an answer has failed
        "engine_error": _(
            "The model stopped before it was finished. Ask again; if it fails again, tell an administrator."
        ),
        "context_length_exceeded": _("This conversation is too long for the model. Start a new chat, or ask for less."),
        "timeout": _("It took too long. Try again later."),
    }


def explain_error(code: str) -> str:
    sentences = error_sentences()
    return sentences.get(code, sentences[OTHER])
