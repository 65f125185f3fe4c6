"""SQLite: the journal, the outbox, the local list, the cache, configuration keys and decisions."""

from agent.store.reading import Durable, OutboxSummary, ParkedMessage
from agent.store.store import Store

__all__ = ["Durable", "OutboxSummary", "ParkedMessage", "Store"]
