"""The control API: an HTTP window on one charge point. It reads snapshots and posts events.

It runs in a thread of its own, with its own event loop: slow clients, large bodies and validation
never hold up the agent. Only ``agent_bridge`` crosses between the two loops. Nothing here is
imported before the agent is ready, and the web framework only when the API is switched on.
"""
