"""What happens between the REST API and a handset: encoding, keywords, windows, statuses, webhooks."""
