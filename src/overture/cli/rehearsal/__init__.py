"""A rehearsal: the parts that carry conversations, put together for one of them, with time and the world in our hands.

The store, the actions and the roads are those of the server. What stands in is the clock, the ids, the provider with
the contact's phone behind it, the models, and the servers that tools call.
"""
