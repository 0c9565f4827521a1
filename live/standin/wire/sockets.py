"""The three WebSockets of the venue: public topics, the private stream, and orders."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from fathom.live.standin.exchange.exchange import ORDER_OPS
from fathom.live.standin.exchange.refusals import RefusedError
from fathom.live.standin.market.symbol import topic_error
from fathom.live.standin.wire.connection import Connection
from fathom.live.standin.wire.hub import Hub
from fathom.settings.times import MS, SECOND

_PRIVATE: Final = ("order", "execution", "position", "wallet")
PRIVATE_TOPICS: Final = (*_PRIVATE, *(f"{name}.linear" for name in _PRIVATE), "execution.fast", "dcp.future")
_BATCH_OPS: Final = {f"{op}-batch": op for op in ORDER_OPS}
BATCH_LIMIT: Final = 20


class Sockets:
    """Answers what clients send over their WebSockets.

    Parameters
    ----------
    hub : Hub
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def receive(self, connection: Connection, text: str) -> None:
        """Answer one message of a client; a half-open connection hears nothing."""
        if connection.dead:
            return
        try:
            message = orjson.loads(text)
            op = message["op"]
        except (ValueError, TypeError, KeyError):
            connection.send({"success": False, "ret_msg": "error:invalid request", "conn_id": connection.id, "op": ""})
            return
        try:
            self._answer(connection, op, message)
        except (ValueError, TypeError, AttributeError, KeyError, IndexError):
            if connection.channel == "trade":
                connection.send({"retCode": 10001, "retMsg": "params error", "op": op, "connId": connection.id})
            else:
                self._tell(connection, message, success=False, text="error:invalid request")

    def _answer(self, connection: Connection, op: Any, message: Mapping[str, Any]) -> None:
        answers: dict[str, Callable[[Connection, Mapping[str, Any]], None]] = {
            **{"ping": self._ping, "auth": self._auth},
            **{"subscribe": self._subscribe, "unsubscribe": self._unsubscribe},
        }
        if op in answers and not (connection.channel == "trade" and op.endswith("subscribe")):
            answers[op](connection, message)
        elif connection.channel == "trade":
            self._order(connection, message)
        else:
            self._tell(connection, message, success=False, text=f"error:op not found,op:{op}")

    def _ping(self, connection: Connection, message: Mapping[str, Any]) -> None:
        if self._hub.faults.meets("pong_missing", channel=connection.channel) is not None:
            return
        now = str(self._hub.time // MS)
        if connection.channel == "trade":
            connection.send(
                {"retCode": 0, "retMsg": "OK", "op": "pong", "data": [now], "connId": connection.id} | _id(message)
            )
        elif connection.channel == "private":
            request = str(message.get("req_id", ""))
            connection.send({"req_id": request, "op": "pong", "args": [now], "conn_id": connection.id})
        else:
            self._tell(connection, message, success=True, text="pong")

    def _auth(self, connection: Connection, message: Mapping[str, Any]) -> None:
        code, text = 0, ""
        try:
            self._hub.faults.refuse("auth_refused", channel=connection.channel)
            connection.account = self._hub.gatekeeper.socket(message.get("args"))
        except RefusedError as refusal:
            code, text = refusal.code, str(refusal)
        connection.send(
            {
                **{"op": "auth", "success": code == 0, "ret_msg": text, "conn_id": connection.id},
                **{"retCode": code, "retMsg": text or "OK", "connId": connection.id},
                **_id(message),
            }
        )

    def _subscribe(self, connection: Connection, message: Mapping[str, Any]) -> None:
        topics = [str(topic) for topic in message.get("args") or []]
        if connection.channel == "private" and connection.account is None:
            self._tell(connection, message, success=False, text="Request not authorized")
            return
        for topic in topics:
            error = self._topic_error(connection, topic)
            if error is not None:
                self._tell(connection, message, success=False, text=error)
                return
        self._tell(connection, message, success=True, text="")
        for topic in topics:
            self._hub.subscribe(connection, topic)

    def _topic_error(self, connection: Connection, topic: str) -> str | None:
        if self._hub.faults.meets("subscribe_refused", topic=topic) is not None:
            return f"error:handler not found,topic:{topic}"
        if connection.channel == "public":
            return topic_error(topic, self._hub.symbols)
        return None if topic in PRIVATE_TOPICS else f"error:handler not found,topic:{topic}"

    def _unsubscribe(self, connection: Connection, message: Mapping[str, Any]) -> None:
        for topic in message.get("args") or []:
            self._hub.unsubscribe(connection, str(topic))
        self._tell(connection, message, success=True, text="")

    def _order(self, connection: Connection, message: Mapping[str, Any]) -> None:
        op, code, text, left = str(message["op"]), 0, "OK", 0
        data: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        try:
            data, extra, left = self._run(connection, op, message)
        except RefusedError as refusal:
            code, text = refusal.code, str(refusal)
        now = str(self._hub.clock.server_ms())
        header = {
            **{"X-Bapi-Limit": "10", "X-Bapi-Limit-Status": str(left), "X-Bapi-Limit-Reset-Timestamp": now},
            **{"Traceid": connection.id, "Timenow": now},
        }
        answer = {**_id(message), "retCode": code, "retMsg": text, "op": op, "data": data, "retExtInfo": extra}
        answer = {**answer, "header": header, "connId": connection.id}
        if self._hub.faults.meets("ack_lost", op=op) is not None:
            return
        late = self._hub.faults.meets("ack_late", op=op)
        if late is None:
            connection.send(answer)
        else:
            self._hub.timers.at(self._hub.time + round(late["wait"] * SECOND), lambda: connection.send(answer))

    def _run(
        self, connection: Connection, op: str, message: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any], int]:
        hub, account = self._hub, connection.account
        if account is None:
            raise RefusedError(10003, "Request not authorized")
        request = str(message.get("reqId", ""))
        if request and request in connection.request_ids:
            raise RefusedError(20006)
        connection.request_ids.add(request)
        header = message.get("header") or {}
        hub.gatekeeper.check_time(str(header.get("X-BAPI-TIMESTAMP", "")), str(header.get("X-BAPI-RECV-WINDOW", "")))
        if account.config.read_only:
            raise RefusedError(10005)
        args = (message.get("args") or [{}])[0]
        if op in ORDER_OPS:
            left = hub.admit(account, op, args)
            return hub.exchange.run(account, op, args), {}, left
        if op not in _BATCH_OPS:
            raise RefusedError(10404)
        requests = args.get("request") or []
        if not 0 < len(requests) <= BATCH_LIMIT or args.get("category") != "linear":
            raise RefusedError(10001)
        left = hub.admit(account, op, args, len(requests))
        result = hub.exchange.batch(account, _BATCH_OPS[op], requests)
        return {"list": result["list"]}, {"list": result["codes"]}, left

    def _tell(self, connection: Connection, message: Mapping[str, Any], *, success: bool, text: str) -> None:
        answer = {"success": success, "ret_msg": text, "conn_id": connection.id}
        connection.send({**answer, "req_id": str(message.get("req_id", "")), "op": message["op"]})


def _id(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"reqId": message["reqId"]} if "reqId" in message else {}
