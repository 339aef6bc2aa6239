"""How a form's field is drawn: see templates/field.html."""

from django import forms, template
from django.forms.boundfield import BoundField
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def plain(field: BoundField) -> SafeString:
    """The input. Placeholders of allauth's repeat the label, and go; only what is really an example stays."""
    if not isinstance(field.field.widget, forms.Textarea):
        field.field.widget.attrs.pop("placeholder", None)
    return field.as_widget()


@register.filter
def is_check(field: BoundField) -> bool:
    return isinstance(field.field.widget, forms.CheckboxInput)


@register.filter
def is_choice(field: BoundField) -> bool:
    return isinstance(field.field.widget, forms.RadioSelect)
