"""Addresses of accounts. allauth's views keep the names by which allauth asks for them."""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.socialaccount import views as social
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from django.urls import path, re_path
from django.views.decorators.http import require_POST

from accounts.views import keys, settings, setup
from accounts.views import sign_in as door

sign_in = door.SignIn.as_view()
sign_out = require_POST(account.logout)  # a picture on another page must not sign anyone out

urlpatterns = [
    # In and out
    path("sign-in/", sign_in, name="login"),
    path("sign-in/", sign_in, name="account_login"),
    path("sign-in/two-factor/", mfa.authenticate, name="mfa_authenticate"),
    path("sign-in/passkey/", webauthn.login_webauthn, name="mfa_login_webauthn"),
    path("sign-in/again/", account.reauthenticate, name="account_reauthenticate"),
    path("sign-in/again/code/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("sign-in/again/passkey/", webauthn.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("sign-in/inactive/", account.account_inactive, name="account_inactive"),
    path("sign-in/cancelled/", social.login_cancelled, name="socialaccount_login_cancelled"),
    path("sign-in/failed/", social.login_error, name="socialaccount_login_error"),
    path("sign-in/name/", social.signup, name="socialaccount_signup"),
    path("sign-out/", sign_out, name="logout"),
    path("sign-out/", sign_out, name="account_logout"),
    path("oidc/<str:provider_id>/login/", door.open_provider, name="openid_connect_login"),
    path("oidc/<str:provider_id>/login/callback/", openid_connect.callback, name="openid_connect_callback"),
    path("setup/<str:token>/", setup.first_admin, name="setup"),
    path("sign-up/", door.SignUp.as_view(), name="account_signup"),
    path("join/<str:token>/", door.Join.as_view(), name="join"),
    # A password that is lost
    path("reset/", door.ResetPassword.as_view(), name="account_reset_password"),
    path("reset/sent/", account.password_reset_done, name="account_reset_password_done"),
    path("reset/done/", account.password_reset_from_key_done, name="account_reset_password_from_key_done"),
    re_path(
        r"^reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    # E-mail
    path("settings/email/", account.email, name="account_email"),
    path("settings/email/sent/", account.email_verification_sent, name="account_email_verification_sent"),
    re_path(r"^confirm-email/(?P<key>[-:\w]+)/$", account.confirm_email, name="account_confirm_email"),
    # Settings
    path("settings/", settings.profile, name="settings"),
    path("settings/appearance/", settings.appearance, name="settings_appearance"),
    path("settings/security/", settings.security, name="settings_security"),
    path("settings/security/", settings.security, name="mfa_index"),
    path("settings/security/", settings.security, name="mfa_list_webauthn"),
    path("settings/sessions/", settings.sessions, name="settings_sessions"),
    path("settings/sessions/end-others/", settings.end_other_sessions, name="end_other_sessions"),
    path("settings/sessions/<int:id>/end/", settings.end_session, name="end_session"),
    path("settings/keys/", keys.keys, name="settings_keys"),
    path("settings/keys/<int:id>/revoke/", keys.revoke_key, name="revoke_key"),
    path("settings/password/", account.password_change, name="account_change_password"),
    path("settings/password/set/", account.password_set, name="account_set_password"),
    path("settings/two-factor/", totp.activate_totp, name="mfa_activate_totp"),
    path("settings/two-factor/off/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("settings/two-factor/codes/", recovery_codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("settings/two-factor/codes/new/", recovery_codes.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path("settings/two-factor/codes.txt", recovery_codes.download_recovery_codes, name="mfa_download_recovery_codes"),
    path("settings/passkeys/add/", webauthn.add_webauthn, name="mfa_add_webauthn"),
    path("settings/passkeys/<int:pk>/", webauthn.edit_webauthn, name="mfa_edit_webauthn"),
    path("settings/passkeys/<int:pk>/remove/", webauthn.remove_webauthn, name="mfa_remove_webauthn"),
    path("settings/connections/", social.connections, name="socialaccount_connections"),
]
