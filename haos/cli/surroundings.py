"""What a process can lack that no library of ours expects to lack: said in one line instead of a traceback."""

from __future__ import annotations

import errno
import os

from haos.errors import HaosError

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def explained(error: Exception) -> HaosError | None:
    """Return what is wrong around us, if that is why something failed; None means a bug."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return HaosError(
            f"cannot write {error.filename or 'the output'}: {error.strerror}", hint="is there room where it goes?"
        )
    try:
        os.getcwd()
    except OSError:
        return HaosError("the current directory is gone", hint="cd to one that is there")
    if not os.path.isabs(os.path.expanduser("~")):
        return HaosError(f"user {os.getuid()} has no home directory", hint="set HOME to one that can be written")
    return None
