"""Errors in templates, in words for people."""

from django import template

from chat.pages.error_words import explain_error

register = template.Library()
register.filter("explain_error", explain_error)
