"""The phones in the browser."""
