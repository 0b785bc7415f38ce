"""Looks whether a bot can take calls: versions, keys, services, the webhook of its number."""
