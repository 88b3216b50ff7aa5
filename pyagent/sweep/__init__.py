"""Campaigns: many scenarios, seeds and policies, each run made once and kept in a result store."""
