"""Telling people: an outbox in the operations store and its delivery to Slack or the log (SPEC 7)."""
