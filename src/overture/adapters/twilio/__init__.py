"""Twilio's messaging: its REST API, its webhooks and what its answers mean."""
