"""What a process loads when it starts: it pays for all of it with time and memory."""

import json
import os
import subprocess
import sys

from jarvis.lib.config import BASE


def loaded_modules(name: str) -> set[str]:
    """What is loaded after Django is set up and `name` is imported."""
    script = f"import sys, json, django; django.setup(); import {name}; print(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "jarvis.settings"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, cwd=BASE, env=environment)
    return set(json.loads(done.stdout))


def test_a_web_process_loads_neither_daphne_nor_the_keeper_of_an_engine():
    modules = loaded_modules("jarvis.asgi, jarvis.urls")
    assert "chat.ws.consumer" in modules
    assert not modules & {"daphne", "twisted.internet", "vllm", "inference.engine.vllm", "inference.worker.worker"}


def test_setting_django_up_loads_no_client_and_no_page():
    modules = loaded_modules("django.contrib.auth.models")
    assert "chat.models" in modules
    assert not modules & {"redis", "aiohttp", "structlog", "rest_framework.views", "jarvis.adminsite", "jarvis.urls"}
