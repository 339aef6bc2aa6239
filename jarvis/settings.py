"""Django's settings, read from the one configuration object (`jarvis.lib.config`)."""

import django_stubs_ext
from psycopg.conninfo import conninfo_to_dict

from jarvis.lib import mail
from jarvis.lib.config import BASE, config
from jarvis.lib.hosts import LOOPBACK_HOSTS, own_host
from jarvis.lib.secrets import cookie_name, secret_key

django_stubs_ext.monkeypatch()  # classes such as ModelAdmin can then be written with their type

SECRET_KEY = secret_key(config)
DEBUG = False
# This machine's own names open what `make run` prints, and what a probe asks for, whatever the proxy is called.
ALLOWED_HOSTS = list(dict.fromkeys([*config.allowed_hosts, *LOOPBACK_HOSTS, *own_host(config.web_host)]))
ROOT_URLCONF = "jarvis.urls"
ASGI_APPLICATION = "jarvis.asgi.application"
APPEND_SLASH = False

INSTALLED_APPS = [
    "jarvis",
    "accounts",
    "inference",
    "chat",
    "channels",
    "jarvis.adminapp.JarvisAdmin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "jarvis.web.static.OurStaticFiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

# Pages and the admin. The API has a stack of its own, see `jarvis/asgi.py`.
MIDDLEWARE = [
    "jarvis.lib.request_id.request_context",
    "jarvis.web.csp.content_security_policy",
    "jarvis.web.private_pages.keep_private",
    "django.middleware.security.SecurityMiddleware",
    "jarvis.web.static.StaticFiles",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "accounts.csrf.CsrfMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.audit.remember_request",
    "django.contrib.messages.middleware.MessageMiddleware",
    "accounts.middleware.apply_preferences",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.throttling.ThrottlingMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "jarvis.web.bad_requests.Unstorable",
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
                "accounts.context_processors.reader_theme",
            ]
        },
    }
]

_postgres = conninfo_to_dict(config.postgres)
DATABASES = {
    "default": {
        "ENGINE": "jarvis.lib.postgres",
        "NAME": _postgres.pop("dbname", "jarvis"),
        "USER": _postgres.pop("user", ""),
        "PASSWORD": _postgres.pop("password", ""),
        "HOST": _postgres.pop("host", ""),
        "PORT": str(_postgres.pop("port", "")),
        # Threads come and go under ASGI, so connections are pooled by the process, not kept by the thread.
        "CONN_HEALTH_CHECKS": True,
        # Behind PgBouncer in transaction mode a cursor on the server is gone at the next read: see `read_in_pages`.
        "DISABLE_SERVER_SIDE_CURSORS": True,
        # A pool waits twice as long after each failed attempt. One that gives up soon begins anew with the next caller,
        # so that nobody waits for long once Postgres is back.
        "OPTIONS": {
            **_postgres,
            "connect_timeout": 3,
            "pool": {"min_size": 3, "max_size": 12, "timeout": 3, "reconnect_timeout": 2},
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "jarvis.lib.redis_backends.ChannelLayer",
        "CONFIG": {"url": config.redis, "prefix": "jarvis-layer"},
    }
}

CACHES = {
    "default": {
        "BACKEND": "jarvis.lib.redis_backends.Cache",
        "LOCATION": config.redis,
        "KEY_PREFIX": "jarvis-cache",  # never cache.clear(): it would empty the whole database
    }
}
SILENCED_SYSTEM_CHECKS = ["django_ratelimit.W001"]  # Django's own Redis cache adds and counts in one step, as it must

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
        "accounts.drf_authentication.KeyAuthentication",
        "accounts.drf_authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["jarvis.lib.drf.permissions.Scoped"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["jarvis.lib.drf.parsers.JsonParser"],
    "DEFAULT_PAGINATION_CLASS": "jarvis.lib.drf.pagination.LimitedPagination",
    "DEFAULT_FILTER_BACKENDS": ["jarvis.lib.drf.filters.StrictFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "jarvis.lib.drf.schema.Schema",
    "EXCEPTION_HANDLER": "jarvis.lib.drf.exception_handler.handle_exception",
    "PAGE_SIZE": 50,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Jarvis",
    "DESCRIPTION": "Answers of models as OpenAI's API gives them, and the resources of a Jarvis.",
    "VERSION": "1",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "jarvis.api_document.operations.complete_document",
    ],
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
PASSWORD_RESET_TIMEOUT = 24 * 3600
AUTHENTICATION_BACKENDS = ["accounts.auth_backend.Backend"]

ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_FORMS = {
    "login": "accounts.forms.SignInForm",
    "signup": "accounts.forms.SignUpForm",
    "change_password": "accounts.forms.ChangePasswordForm",
    "set_password": "accounts.forms.SetPasswordForm",
    "reset_password_from_key": "accounts.forms.ResetPasswordForm",
}
ACCOUNT_EMAIL_VERIFICATION = "optional" if config.email_url else "none"
ACCOUNT_CHANGE_EMAIL = True  # one address; a new one takes its place once it is verified
ACCOUNT_EMAIL_NOTIFICATIONS = bool(config.email_url)
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Jarvis: "
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
# What is counted, and answered with 429: `accounts.throttling`. Of allauth's own only the pause between mails stays.
_counted = (
    "change_password manage_email reset_password reset_password_from_key reauthenticate signup login login_failed"
)
ACCOUNT_RATE_LIMITS = dict.fromkeys(_counted.split())
MFA_ADAPTER = "accounts.adapters.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # an e-mail address is optional, and cannot be verified without a mail server
MFA_FORMS = {"add_webauthn": "accounts.forms.PasskeyForm"}
MFA_RATE_LIMITS = False
MFA_TOTP_ISSUER = "Jarvis"
MFA_TOTP_TOLERANCE = 1  # steps of 30 seconds that a phone's clock may be off
SOCIALACCOUNT_ADAPTER = "accounts.adapters.SocialAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = config.oidc_match_email
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "sso",
                "name": config.oidc_name,
                "client_id": config.oidc_client_id,
                "secret": config.oidc_client_secret,
                "settings": {"server_url": config.oidc_server_url.rstrip("/")},
            }
        ]
        if config.oidc_server_url
        else [],
    }
}

if config.email_url:
    _mail = mail.parse_mail_url(config.email_url)
    EMAIL_HOST, EMAIL_PORT = _mail.host, _mail.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
    EMAIL_USE_SSL, EMAIL_USE_TLS = _mail.tls == "from the start", _mail.tls == "upgraded"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = config.email_from

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es", "Español")]
FORMAT_MODULE_PATH = "jarvis.lib.formats"
LOCALE_PATHS = [BASE / "templates" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = config.var / "static"
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ("png", "ico", "gz", "br", "woff2", "map")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "jarvis.web.static.HashedFiles"},
}

DATA_UPLOAD_MAX_MEMORY_SIZE = config.max_body_bytes
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = cookie_name("session", SECRET_KEY), cookie_name("csrf", SECRET_KEY)
CSRF_FAILURE_VIEW = "accounts.views.refused_form.refuse_form"
LANGUAGE_COOKIE_NAME = cookie_name("language", SECRET_KEY)
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = config.secure
SECURE_HSTS_SECONDS = 31_536_000 if config.secure else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

LOGGING_CONFIG = None  # `jarvis.lib.logs` sets logging up, once for each kind of process.
