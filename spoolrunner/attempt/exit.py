"""The end of a job's process: like the end of an interpreter, but without freeing all objects, which takes milliseconds.

Light: every job's process imports it.
"""

from __future__ import annotations

import atexit
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


def exit_after(work: Callable[..., int], *arguments: object) -> NoReturn:
    """Do the work, wait for threads, run exit handlers, flush, and end the process with the status that `work` returned."""
    status = 1
    try:
        status = work(*arguments)
        _finish()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def _finish() -> None:
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()  # noqa: SLF001 -- what the interpreter itself calls; there is no public name
    atexit._run_exitfuncs()  # noqa: SLF001 -- as above
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
