"""Handset: a stand-in for Twilio messaging, with phones in the browser."""
