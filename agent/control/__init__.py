"""The local control socket, what it shows, and what it may do."""
