"""python3 main.py: the handlers are examples, to be replaced by yours."""

import os
import signal

from executor import Executor, serve


def hello(task):
    job, item, total = task["job"]["name"], task["item"], task["total"]
    print(f"{job}: item {item} of {total} ({task['itemParameter']}): {task['parameter']}", flush=True)


def result(task):
    return {"message": "greeted", "result": f"hello {task['itemParameter']}"}


def more(task):
    """Says that there is more to do: with repeatWhileContinue the item is run again."""
    return {"continue": True}


def fail(task):
    raise RuntimeError("the disk is full")


def sleep(task):
    task.progress(50, f"sleeping {task['parameter']} s")
    task.cancelled.wait(float(task["parameter"]))


handlers = {"hello": hello, "result": result, "more": more, "fail": fail, "sleep": sleep}
executor = Executor(handlers, os.environ.get("EXECUTOR_TOKEN", ""), int(os.environ.get("EXECUTOR_CAPACITY", "10")))
# Waited for and not handled: the signal may go to any thread, and a handler runs only when the main thread wakes.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
port = serve(executor, os.environ.get("EXECUTOR_HOST", ""), int(os.environ.get("EXECUTOR_PORT", "9900")))
print(f"listening on {port}", flush=True)
signal.sigwait({signal.SIGTERM})
executor.leave()
