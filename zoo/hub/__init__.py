"""Model hubs, through their own clients: what is fetched, written and pushed."""

from zoo.hub.sources import Fetched, fetch, is_remote

__all__ = ["Fetched", "fetch", "is_remote"]
