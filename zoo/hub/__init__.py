"""What lies on model hubs, fetched by their own clients."""

from zoo.hub.sources import Fetched, address_name, fetch, is_remote

__all__ = ["Fetched", "address_name", "fetch", "is_remote"]
