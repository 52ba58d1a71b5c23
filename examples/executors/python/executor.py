"""An executor of resident jobs on Python's standard library alone: see docs/executor-protocol.md."""

import hmac
import json
import re
import threading
import time
from collections import deque
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

REMEMBER_SECONDS = 900  # a request that comes again is answered with what is remembered, at least so long after the end of its task
QUICK_SECONDS = 1  # a task that ends so soon is answered at once
LONGEST_WAIT_SECONDS = 30
LONGEST_BODY = 1024 * 1024
NEVER = "9999-12-31T00:00:00Z"
LINGER_SECONDS = 5  # after SIGTERM: so long results can still be asked for


class Task:
    """What a handler is given: the fields of the request, whether the task is cancelled, and a place to tell its progress."""

    def __init__(self, request):
        self.request = request
        self.cancelled = threading.Event()
        self.ended = threading.Event()
        self.news, self.end = {}, None

    def __getitem__(self, field):
        return self.request[field]

    def progress(self, percent, message=None):
        self.news = {"progress": percent, "message": message}

    def told(self, seconds):
        """What there is to tell, at the latest after so many seconds."""
        self.ended.wait(seconds)
        name = {"task": self.request["task"]}
        return (202, {**name, **self.news}) if self.end is None else (200, {**name, **self.end})


class Executor:
    """handlers: by name, functions of a Task that return None or a dict of message, result and continue; what they raise is a failure."""

    def __init__(self, handlers, token="", capacity=10):
        self.handlers, self.token, self.capacity = handlers, token, capacity
        self.lock, self.tasks, self.at_work, self.leaving = threading.Lock(), {}, 0, False
        self.ended = deque()  # ids with the time of their end, oldest first

    def start(self, request):
        if not isinstance(request, dict) or not isinstance(request.get("task"), str) or request["task"] == "":
            return 400, {"message": "task must be a text"}
        with self.lock:
            self.forget()
            task = self.tasks.get(request["task"])
            if task is None:
                if request.get("handler") not in self.handlers:
                    return 404, {"message": f"there is no handler {request.get('handler')}"}
                if self.leaving:
                    return 429, {"message": "this executor is leaving"}
                if self.at_work >= self.capacity:
                    return 429, {"message": f"{self.at_work} tasks are at work, and no more are taken"}
                left = datetime.fromisoformat(request.get("deadline", NEVER).replace("Z", "+00:00")).timestamp() - time.time()
                if left <= 0:
                    return 410, {"message": "its deadline is over"}  # somebody else may be at work on it by now
                task = self.tasks[request["task"]] = Task(request)
                task.timer = threading.Timer(min(left, threading.TIMEOUT_MAX), task.cancelled.set)
                task.timer.start()
                self.at_work += 1
                threading.Thread(target=self.work, args=(task,), daemon=True).start()
        return task.told(QUICK_SECONDS)

    def work(self, task):
        try:
            end = {"outcome": "Succeeded", **(self.handlers[task["handler"]](task) or {})}
        except Exception as error:
            end = {"outcome": "Failed", "message": str(error)}
        task.timer.cancel()
        with self.lock:
            task.end = {"outcome": "Failed", "message": "cancelled"} if task.cancelled.is_set() else end
            self.ended.append((time.monotonic(), task["task"]))
            self.at_work -= 1
        task.ended.set()

    def forget(self):
        while self.ended and self.ended[0][0] < time.monotonic() - REMEMBER_SECONDS:
            del self.tasks[self.ended.popleft()[1]]

    def leave(self):
        """Takes nothing new, and returns when what is at work has ended and could be asked for."""
        self.leaving = True
        while self.at_work > 0:
            time.sleep(0.1)
        time.sleep(LINGER_SECONDS)

    def answer(self, method, target, authorization, body):
        url = urlsplit(target)
        if url.path == "/healthz":
            return 200, {}
        if self.token and not hmac.compare_digest(authorization.encode(), f"Bearer {self.token}".encode()):
            return 401, {"message": "the token is wrong"}
        found = re.fullmatch(r"/run(?:/([^/]+))?", url.path)
        if found is None:
            return 404, {"message": "there is only /run"}
        if (method == "POST") != (found[1] is None):
            return 405, {"message": "/run takes POST only, and a task takes GET and DELETE only"}
        if found[1] is None:
            return self.start(json.loads(body))
        task = self.tasks.get(unquote(found[1]))
        if task is None:
            return 404, {"message": "no such task"}
        if method == "DELETE":
            task.cancelled.set()
        wait = re.match(r"\d{1,3}", parse_qs(url.query).get("wait", ["0"])[0])
        return task.told(min(LONGEST_WAIT_SECONDS, int(wait[0]) if wait else 0))


class Server(ThreadingHTTPServer):
    request_queue_size = 128


def serve(executor, host, port):
    class Handler(BaseHTTPRequestHandler):
        protocol_version, timeout, disable_nagle_algorithm = "HTTP/1.1", 60, True

        def answer(self):
            length = int(self.headers.get("content-length") or 0)
            self.close_connection = length > LONGEST_BODY
            try:
                if self.close_connection:
                    raise ValueError(f"a request has at most {LONGEST_BODY} bytes")
                body = self.rfile.read(length)
                status, body = executor.answer(self.command, self.path, self.headers.get("authorization") or "", body)
            except (AttributeError, TypeError, ValueError) as error:
                status, body = 400, {"message": str(error)}
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = answer
        log_message = lambda *_: None

    server = Server((host, port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]
