"""Pages of accounts: the first administrator, signing in, settings. What allauth does is used, not written again."""
