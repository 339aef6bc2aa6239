"""The only sender of Redis commands. Each module is one subject; `keys` names everything, `client` connects."""
