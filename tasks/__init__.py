"""The registry: what is asked of a body. One card per task."""

from opengato.tasks.card import Card
from opengato.tasks.registry import family_names, find, get, load_plugins, register

__all__ = ["Card", "family_names", "find", "get", "load_plugins", "register"]
