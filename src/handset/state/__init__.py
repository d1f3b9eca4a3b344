"""What Handset remembers: messages, webhooks, phones, windows and opt-outs, in memory and, if asked, on disk."""
