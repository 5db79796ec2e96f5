"""The robot's side of `opengato serve`: a policy that thinks elsewhere. Needs numpy, msgpack and websockets alone."""

from .packing import MessageError, pack, unpack
from .remote import PolicyError, RemotePolicy

__all__ = ["MessageError", "PolicyError", "RemotePolicy", "pack", "unpack"]
