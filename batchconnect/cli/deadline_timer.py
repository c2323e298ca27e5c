"""
The kernel's timer on this process: whatever holds it up, it does not outlive its right to send.

A process that was frozen (SIGSTOP, a stopped container, a machine under swap) and is woken again goes on where
it was, and that may be between the question whether it may send and the sending. The kernel delivers what is
due before that: the signal ends the process, as `kill -9` would.
"""

import signal
from contextlib import suppress


def arm(seconds: float | None) -> None:
    """
    Have the kernel end this process in so many seconds, unless it is said anew; None: not at all.

    Only where there is such a timer; elsewhere the question at the socket is all there is.
    """
    if not hasattr(signal, "setitimer"):
        return
    if seconds is None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        return
    # Whoever started us may have had the signal ignored or blocked.
    with suppress(ValueError):  # outside the main thread, which alone may say so; it did before
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    # Never 0, which would switch it off.
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
