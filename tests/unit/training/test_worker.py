"""Messages of a training worker."""

from multiprocessing import Pipe

from training import worker


def test_receive_from_a_dead_worker_returns_a_failure() -> None:
    receiver, sender = Pipe(duplex=False)
    sender.close()
    message = worker.receive(receiver)
    assert (message, receiver.closed) == (
        worker.Finished("the worker process died", failed=True),
        True,
    )
