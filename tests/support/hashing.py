"""Argon2 that takes no time: `tests/conftest.py` sets it for all tests, none of which is about the hash itself."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class QuickArgon2(Argon2PasswordHasher):
    time_cost, memory_cost, parallelism = 1, 8, 1
