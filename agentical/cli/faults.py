"""What goes wrong, as a message on stderr and an exit status; a traceback only for those who ask for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from agentical.cli.output import OutputClosed, tell
from agentical.errors import AgenticalError, Mistake, PlaybookInvalid

DEBUG = "AGENTICAL_DEBUG"
INTERRUPTED = 130


def guarded(command: Callable[[], object]) -> int:
    """Run it; gives the exit status. Everything raised is told."""
    try:
        command()
    except KeyboardInterrupt:
        return INTERRUPTED
    except (Exception, BaseExceptionGroup) as error:
        if os.environ.get(DEBUG) not in (None, "", "0"):
            raise
        return told(_first(error))
    return 0


def told(error: BaseException) -> int:
    """Tell what was raised; gives its exit status."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, PlaybookInvalid):
        tell_mistakes(error.mistakes)
    elif isinstance(error, OutputClosed) and error.gone:
        return error.exit_status
    elif isinstance(error, AgenticalError):
        tell(f"agentical: {error}")
    else:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        tell(f"agentical: {what}. This is a bug; with {DEBUG}=1 it says where.")
    return error.exit_status if isinstance(error, AgenticalError) else 1


def tell_mistakes(mistakes: Sequence[Mistake]) -> None:
    """One line for each, and a last one that counts them."""
    for mistake in mistakes:
        tell(str(mistake))
    files = len({mistake.file for mistake in mistakes})
    what = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    tell(f"{what} in {files} files." if files > 1 else f"{what}.")


def _first(error: BaseException) -> BaseException:
    if not isinstance(error, BaseExceptionGroup):
        return error
    from agentical.engine import first_error

    return first_error(error)
