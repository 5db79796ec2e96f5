"""The WebSocket side: who may come in, what is answered, and how it ends.

A connection speaks in turns, request and answer, so a robot never has more than one request under way; what it sends
beyond that stays in its socket.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import ssl
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from websockets.asyncio.server import Server as Listener
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from opengato.client.packing import MessageError, pack, unpack
from opengato.errors import ObservationError, OpengatoError
from opengato.evaluation.serve.batcher import Batcher
from opengato.evaluation.serve.catalogue import Catalogue, Offer
from opengato.evaluation.serve.metrics import Metrics
from opengato.evaluation.serve.sessions import Session, Sessions

BAD_IN_A_ROW = 20  # requests without sense before a connection is closed
QUEUE = 2  # messages read ahead of each connection
AGAIN, REFUSED = 1012, 1008  # close codes of RFC 6455 and its registry
BROKEN = "the agent failed at this request; the episode is lost. Next: begin a new one."
log = logging.getLogger("opengato.serve")


class PolicyServer:
    """Serves one policy to many robots.

    Args:
        catalogue: bodies it may be asked for.
        seats: robots at a time.
        token: what robots must say; "" for nothing.
        keep_s: how long the seat of a robot whose connection is gone is kept.
        max_message: bytes.
        tls: of the connections.
    """

    def __init__(
        self, catalogue: Catalogue, seats: int = 32, token: str = "", keep_s: float = 60.0,
        max_message: int = 32 << 20, tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        from opengato.agent.policy import Policy

        self.catalogue, self.token, self.max_message, self.tls = catalogue, token, max_message, tls
        self.metrics, self.sessions = Metrics(), Sessions(seats, keep_s)
        catalogue.agent.model.eval()
        self.batcher = Batcher(Policy(catalogue.agent.model, [], spare=seats), self.metrics)
        self.draining = False
        self._busy: set[ServerConnection] = set()
        self._listener: Listener | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port."""
        self._passes = asyncio.create_task(self.batcher.run())
        self._listener = await serve(
            self._handle, host, port, process_request=self._admit, compression=None, max_size=self.max_message,
            max_queue=QUEUE, ssl=self.tls, server_header="opengato",
        )  # fmt: skip
        return int(next(iter(self._listener.sockets)).getsockname()[1])

    async def drain(self, seconds: float = 10.0) -> None:
        """Take nobody in any more, answer what is under way, say goodbye and stop."""
        self.draining = True
        assert self._listener is not None
        self._listener.close(close_connections=False)
        for connection in list(self._listener.connections):
            if connection not in self._busy:
                await connection.close(AGAIN, "the server is stopping")
        try:
            await asyncio.wait_for(self._listener.wait_closed(), seconds)
        except TimeoutError:
            self._listener.close()
        self._passes.cancel()
        self.batcher.close()

    async def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer plain HTTP, refuse who may not come in; None lets a robot in."""
        url = urlsplit(request.path)
        if url.path == "/healthz":
            return connection.respond(503, "stopping\n") if self.draining else connection.respond(200, "ok\n")
        if not self._known(request):
            self.metrics.refused.labels("token").inc()
            return connection.respond(401, "the token is wrong or missing. Next: Authorization: Bearer <token>\n")
        if url.path == "/metrics":
            response = connection.respond(200, self.metrics.text().decode())
            response.headers["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8"
            return response
        if url.path not in ("", "/"):
            return connection.respond(404, "legal: / for robots, /healthz, /metrics\n")
        if self.draining:
            return connection.respond(503, "the server is stopping\n")
        asked = {name: values[-1] for name, values in parse_qs(url.query).items()}
        try:
            offer = await asyncio.to_thread(
                self.catalogue.offer, asked.get("task", ""), asked.get("prompt", "demonstration"),
                asked.get("instruction", ""),
            )  # fmt: skip
        except OpengatoError as error:
            self.metrics.refused.labels("task").inc()
            return connection.respond(404, f"{error}\n")
        session = await self._seat(offer, asked.get("session", ""))
        if session is None:
            self.metrics.refused.labels("full").inc()
            return connection.respond(503, "all seats are taken. Next: try again later, or opengato serve robots=…\n")
        connection.session = session  # type: ignore[attr-defined]
        return None

    def _known(self, request: Request) -> bool:
        said = request.headers.get("Authorization", "").split(" ", 1)[-1]
        return not self.token or hmac.compare_digest(said.encode(), self.token.encode())

    async def _seat(self, offer: Offer, key: str) -> Session | None:
        back = self.sessions.find(key, offer.card.id)
        if back is not None:
            return back
        session = self.sessions.take(offer)
        if session is not None:
            await self.batcher.call(self.batcher.policy.settle, session.row, offer.body)
        self.metrics.sessions.set(len(self.sessions))
        return session

    async def _handle(self, connection: ServerConnection) -> None:
        """Speak with one robot until it hangs up."""
        session: Session = connection.session  # type: ignore[attr-defined]
        state = {"session": session.key, "episode": session.episode, "number": session.number}
        before, session.connection = session.connection, connection
        if before is not None:  # the robot lost a connection that looks alive from here
            await before.close(REFUSED, "came back through another connection")
        try:
            await connection.send(pack({**session.offer.told, **state, "max_message_bytes": self.max_message}))
            bad = 0
            async for message in connection:
                self._busy.add(connection)
                try:
                    async with session.turn:
                        answer: str | bytes = await self._answer(session, message)
                    bad = 0
                except (MessageError, ObservationError, OpengatoError) as error:
                    self.metrics.refused.labels("request").inc()
                    bad, answer = bad + 1, str(error)
                except Exception:
                    log.exception("a request of %s failed", session.offer.card.id)
                    self.metrics.refused.labels("failed").inc()
                    session.number, answer = 0, BROKEN
                await connection.send(answer)
                self._busy.discard(connection)
                if self.draining:
                    await connection.close(AGAIN, "the server is stopping")
                elif bad >= BAD_IN_A_ROW:
                    await connection.close(REFUSED, f"{bad} requests without sense")
        except ConnectionClosed:
            pass
        finally:
            self._busy.discard(connection)
            if session.connection is connection:
                self.sessions.leave(session)

    async def _answer(self, session: Session, message: str | bytes) -> bytes:
        """What a request is answered; raises for one without sense, which changes nothing."""
        if isinstance(message, str):
            raise MessageError("a text; requests are msgpack in binary messages.")
        request = unpack(message)
        if not isinstance(request, dict):
            raise MessageError(f"a {type(request).__name__}; legal: a map.")
        if "recall" in request:
            return await self._recall(session, request)
        if "number" not in request:  # openpi's clients send what is seen and nothing else
            request = {"observation": request, "episode": session.episode, "number": session.number}
        episode, number = _whole(request, "episode"), _whole(request, "number")
        if (episode, number) == (session.episode, session.number - 1) and session.answer:
            return session.answer
        if number and (episode, number) != (session.episode, session.number):
            raise OpengatoError(
                f"request {number} of episode {episode}; expected: {session.number} of {session.episode}, or 0."
            )
        observation = request.get("observation")
        body, policy = session.offer.body, self.batcher.policy
        body.codec.observations([observation])  # refused here, alone, not in a pass with others
        if not number:
            await self.batcher.call(policy.reset, [session.row])
        task, writes = session.offer.card.id, body.codec.spec.text_action
        action, timing = await self.batcher.act(session.row, observation, writes, task)
        answer = {"actions": _actions(action), "episode": episode, "number": number, "server_timing": timing}
        session.episode, session.number, session.answer = episode, number + 1, pack(answer)
        return session.answer

    async def _recall(self, session: Session, request: dict[Any, Any]) -> bytes:
        """Bring an episode back."""
        past = request["recall"]
        episode, number = _whole(request, "episode"), _whole(request, "number")
        if not isinstance(past, dict) or not all(isinstance(past.get(k), list) for k in ("observations", "actions")):
            raise OpengatoError('"recall" is a map of two lists, "observations" and "actions".')
        seen, done = past["observations"], past["actions"]
        if len(seen) != len(done) or len(seen) > session.offer.remember or len(seen) > number:
            raise OpengatoError(
                f"{len(seen)} observations and {len(done)} actions before request {number}; legal: as many of each, "
                f"up to {min(number, session.offer.remember)}."
            )
        await self.batcher.call(self.batcher.policy.recall, session.row, seen, done)
        session.episode, session.number, session.answer = episode, number, b""
        self.metrics.recalled.inc()
        return pack({"episode": episode, "number": number})


def _whole(request: dict[Any, Any], name: str) -> int:
    value = request.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise OpengatoError(f"{name} is {value!r:.60}; legal: a whole number from 0 on.")
    return value


def _actions(action: Any) -> Any:
    """A run of one action: an array with a leading axis, or a list."""
    return action[None] if isinstance(action, np.ndarray) else [action]
