"""Django's settings, read from the one configuration object (`jarvis.config`)."""

import django_stubs_ext
from psycopg.conninfo import conninfo_to_dict
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from jarvis.config import BASE, config
from jarvis.secret import secret_key

django_stubs_ext.monkeypatch()  # classes such as ModelAdmin can then be written with their type

SECRET_KEY = secret_key(config)
DEBUG = False
ALLOWED_HOSTS = list(config.allowed_hosts)
ROOT_URLCONF = "jarvis.urls"
ASGI_APPLICATION = "jarvis.asgi.application"
APPEND_SLASH = False

INSTALLED_APPS = [
    "daphne",
    "jarvis",
    "accounts",
    "inference",
    "chat",
    "channels",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "jarvis.static.OurStaticFiles",
    "django.contrib.postgres",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

# Pages and the admin. The API has a stack of its own, see `jarvis/asgi.py`.
MIDDLEWARE = [
    "jarvis.middleware.request_context",
    "jarvis.csp.content_security_policy",
    "django.middleware.security.SecurityMiddleware",
    "jarvis.static.StaticFiles",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

_postgres = conninfo_to_dict(config.postgres)
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _postgres.pop("dbname", "jarvis"),
        "USER": _postgres.pop("user", ""),
        "PASSWORD": _postgres.pop("password", ""),
        "HOST": _postgres.pop("host", ""),
        "PORT": str(_postgres.pop("port", "")),
        # Threads come and go under ASGI, so connections are pooled by the process, not kept by the thread.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**_postgres, "connect_timeout": 3, "pool": {"min_size": 3, "max_size": 12, "timeout": 3}},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            # Who waits for Redis decides itself how long; retries in here would hold up all of a process's sockets.
            "hosts": [{"address": config.redis, "socket_connect_timeout": 2, "retry": Retry(NoBackoff(), 0)}],
            "prefix": "jarvis-layer",
        },
    }
}

CELERY_BROKER_URL = config.redis.replace("unix://", "redis+socket://", 1)
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "jarvis.rest.authentication.KeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "jarvis.rest.errors.answer",
    "PAGE_SIZE": 50,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Jarvis",
    "DESCRIPTION": "Resources of a Jarvis: keys, conversations, models, usage. Answers come from /v1/chat/completions.",
    "VERSION": "1",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es", "Español")]
LOCALE_PATHS = [BASE / "templates" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = config.var / "static"
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ("png", "ico", "gz", "br", "woff2", "map")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "jarvis.static.HashedFiles"},
}

DATA_UPLOAD_MAX_MEMORY_SIZE = config.max_body_bytes
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = config.secure
SECURE_HSTS_SECONDS = 31_536_000 if config.secure else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if config.secure else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

LOGGING_CONFIG = None  # `jarvis.logs` sets logging up, once for each kind of process.
