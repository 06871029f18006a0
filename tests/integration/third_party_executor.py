#!/usr/bin/env python3
"""An executor that knows nothing but the v1 executor API in JSON: no library of the project. It says of each task that it
runs, then that it has finished, and repeats nothing: what it is told goes to its standard output."""
import base64, http.client, json, os, uuid

host, port = os.environ["MESOS_AGENT_ENDPOINT"].rsplit(":", 1)
me = {
    "framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]},
    "executor_id": {"value": os.environ["MESOS_EXECUTOR_ID"]},
}
headers = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Authorization": "Bearer " + os.environ["MESOS_EXECUTOR_AUTHENTICATION_TOKEN"],
}


def call(body, changed=()):
    connection = http.client.HTTPConnection(host, int(port))
    connection.request("POST", "/api/v1/executor", json.dumps({**me, **body}), {**headers, **dict(changed)})
    return connection.getresponse()


def update(task, state):
    status = {
        "task_id": task["task_id"],
        "state": state,
        "source": "SOURCE_EXECUTOR",
        "executor_id": me["executor_id"],
        "uuid": base64.b64encode(uuid.uuid4().bytes).decode(),
    }
    return call({"type": "UPDATE", "update": {"status": status}}).status


def records(stream):
    while True:
        length = b""
        while not length.endswith(b"\n"):
            byte = stream.read(1)
            if not byte:
                return
            length += byte
        yield json.loads(stream.read(int(length)))


def tell(*what):
    print(*what, flush=True)


tell("heartbeat before subscribing", call({"type": "HEARTBEAT"}).status)
tell("message before subscribing", call({"type": "MESSAGE", "message": {"data": "aGk="}}).status)
tell("another token", call({"type": "SUBSCRIBE", "subscribe": {}}, {"Authorization": "Bearer x"}.items()).status)
tell("no subscribe", call({"type": "SUBSCRIBE"}).status)
for event in records(call({"type": "SUBSCRIBE", "subscribe": {}})):
    tell("event", event["type"])
    if event["type"] == "LAUNCH":
        task = event["launch"]["task"]
        tell("data", base64.b64decode(task["data"]).decode())
        tell("running", update(task, "TASK_RUNNING"))
        tell("unreachable", update(task, "TASK_UNREACHABLE"))
        tell("finished", update(task, "TASK_FINISHED"))
    if event["type"] == "MESSAGE":
        tell("reply", call({"type": "MESSAGE", "message": {"data": event["message"]["data"]}}).status)
    if event["type"] == "SHUTDOWN":
        break
