"""Child programs of tests: run as `python -m tests.support.child_programs`, see child_process."""

import os
import signal
import subprocess
import sys
import time

from pipeline.training.child_process import ChildFailedError
from pipeline.training.children.program import Message, Send, serve


def obey(request: Message, send: Send) -> Message:
    """Do what the request says."""
    command = request["do"]
    print("printed by a library")
    if command == "count":
        for number in range(request["to"]):
            send({"number": number})
    elif command == "raise":
        raise {"OSError": OSError, "ValueError": ValueError}[request["error"]]("bad digits")
    elif command == "fail":
        raise ChildFailedError("bad digits")
    elif command == "die":
        print("last words", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    elif command == "exit":
        os._exit(3)
    elif command == "sleep":
        grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        send({"pids": [os.getpid(), grandchild.pid]})
        time.sleep(60)
    return {"done": command}


if __name__ == "__main__":
    serve(obey)
