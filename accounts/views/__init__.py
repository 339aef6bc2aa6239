"""Pages of accounts: the first administrator, the door, settings. What allauth does is fitted in, not written again."""
