"""`opengato serve`: the agent for robots that think elsewhere."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import secrets
import signal
import ssl
from dataclasses import dataclass, field

from opengato.agent.shipped import DEFAULT
from opengato.errors import OpengatoError
from opengato.tasks import registry

TOKEN = "OPENGATO_TOKEN"


@dataclass(frozen=True)
class ServeConfig:
    """Serving.

    Args:
        agent: a shipped agent's name or an agent's folder.
        tasks: patterns of the tasks whose bodies may ask.
        host: address to listen at; 0.0.0.0 for all.
        port: 0 takes a free one.
        robots: how many at a time.
        token: what they must say; by default the environment's OPENGATO_TOKEN. Away from this machine there must be
            one, and it is made up where none is given.
        no_token: serve other machines without one.
        keep_s: how long the seat of a robot whose connection is gone is kept.
        max_message_mib: of one message.
        certificate, key: files of TLS; none by default.
        data_dir: where demonstrations for prompts may be.
        plugins: files of the user that register tasks.
        threads: of PyTorch; 0 leaves its own choice.
        device: "auto" takes a CUDA GPU where there is one.
        precision: of the weights: fp32, bf16 or int8.
    """

    agent: str = DEFAULT
    tasks: list[str] = field(default_factory=lambda: ["*"])
    host: str = "127.0.0.1"
    port: int = 8765
    robots: int = 32
    token: str = ""
    no_token: bool = False
    keep_s: float = 60.0
    max_message_mib: int = 32
    certificate: str = ""
    key: str = ""
    data_dir: str = "data"
    plugins: list[str] = field(default_factory=list)
    threads: int = 0
    device: str = "auto"
    precision: str = "fp32"


def run(config: ServeConfig, as_json: bool) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        OpengatoError: a missing extra, an unknown agent or task, a number out of range, or the port is taken.
    """
    try:
        import prometheus_client  # noqa: F401
        import websockets  # noqa: F401
    except ImportError as error:
        raise OpengatoError(f"{error.name} is missing. Next: pip install 'opengato[serve]'") from None
    for name in ("robots", "max_message_mib"):
        if getattr(config, name) < 1:
            raise OpengatoError(f"{name} is {getattr(config, name)}; legal: 1 or more.")
    if not config.keep_s >= 1:
        raise OpengatoError(f"keep_s is {config.keep_s}; legal: 1 second or more.")
    if bool(config.certificate) != bool(config.key):
        raise OpengatoError("certificate and key go together.")
    asyncio.run(_serve(config, token_of(config), _tls(config)))


def token_of(config: ServeConfig) -> str:
    """What robots must say. Away from this machine one is made up where none is given."""
    token = config.token or os.environ.get(TOKEN, "")
    return token or ("" if config.no_token or _loopback(config.host) else secrets.token_urlsafe(24))


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _tls(config: ServeConfig) -> ssl.SSLContext | None:
    if not config.certificate:
        return None
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        tls.load_cert_chain(config.certificate, config.key)
    except OSError as error:
        raise OpengatoError(
            f"certificate={config.certificate} with key={config.key} can't be used ({error}). Next: name two PEM files"
        ) from None
    return tls


async def _serve(config: ServeConfig, token: str, tls: ssl.SSLContext | None) -> None:
    import torch

    from opengato.agent import Agent
    from opengato.agent.device import pick_device
    from opengato.evaluation.serve.catalogue import Catalogue
    from opengato.evaluation.serve.server import PolicyServer

    registry.load_plugins(config.plugins)
    if config.threads:
        torch.set_num_threads(config.threads)
    agent = Agent.load(config.agent, pick_device(config.device), config.precision)
    catalogue = Catalogue(agent, config.tasks, config.data_dir)
    server = PolicyServer(catalogue, config.robots, token, config.keep_s, config.max_message_mib << 20, tls)
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        port = await server.start(config.host, config.port)
    except OSError as error:
        server.batcher.close()
        raise OpengatoError(f"cannot listen at {config.host}:{config.port} ({error}). Next: another port=") from None
    kind = "wss" if tls else "ws"
    print(f"{len(catalogue.cards)} tasks at {kind}://{config.host}:{port}; /healthz, /metrics", flush=True)
    if token and not (config.token or os.environ.get(TOKEN)):
        print(f"token: {token}   (robots say it; choose one with {TOKEN}=…)", flush=True)
    elif token:
        print("a token is asked for", flush=True)
    await stop.wait()
    print("stopping: answering what is under way", flush=True)
    await server.drain()


__all__ = ["ServeConfig", "run", "token_of"]
