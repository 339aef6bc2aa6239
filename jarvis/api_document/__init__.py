"""The OpenAPI document of everything that scripts can call, and the page that shows it.

Django REST framework describes its own resources. What the API's short stack answers is described here.
"""
