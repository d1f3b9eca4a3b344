"""The line between a client and the REST API, where an answer can be lost although its request was not."""
