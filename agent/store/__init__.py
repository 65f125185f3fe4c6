"""SQLite: the journal, the outbox, the local list, the cache, configuration keys and decisions."""

from agent.store.charge_log import LogLimits
from agent.store.reading import CachedTag, Durable, OutboxSummary, ParkedMessage
from agent.store.store import Store

__all__ = ["CachedTag", "Durable", "LogLimits", "OutboxSummary", "ParkedMessage", "Store"]
