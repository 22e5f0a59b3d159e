"""haos run as it is, in this process, over fakes: each example gets a world of its own."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from haos.cli.main import main
from haos.cli.options import Settings
from haos.cli.session import NO_SSH, Run, ssh_settings
from haos.view.console import Output
from haos.view.progress import ConsoleProgress
from haos.workflow.context import Cloud
from tests.cli.conftest import Ended
from tests.fakes import World, context_of

EXIT_CODES = {0, 1, 2, 3, 4, 5, 6, 130}
"""Those that the README names."""


def run_haos(argv: Sequence[str], world: World, cloud: Callable[[], Cloud] | None = None) -> Ended:
    """Run a command line over a world, or over a cloud before its nodes; a traceback comes out as it is."""

    @contextmanager
    def over_fakes(settings: Settings, options: Mapping[str, Any] = NO_SSH, **_: float) -> Iterator[Run]:
        output = Output(quiet=settings.quiet)
        ctx = replace(context_of(world), progress=ConsoleProgress(output))
        if cloud is not None:
            ctx = replace(ctx, cloud=cloud())
        yield Run(ctx, output, settings, ssh_settings(options, {}))

    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="surrogatepass") for _ in range(2))
    code: object = None
    with (
        patch("haos.cli.session.session", over_fakes),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main(argv)
        except SystemExit as stop:
            code = stop.code
    return Ended(code if isinstance(code, int) else 0, _text(out), _text(err))


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode("utf-8", "surrogatepass")


def errors_of(ended: Ended) -> list[str]:
    """Return the lines in which a run says why it failed."""
    return [line for line in ended.err.splitlines() if line.startswith("haos: ")]
