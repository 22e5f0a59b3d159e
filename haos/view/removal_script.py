"""A pair taken off a node by hand, as a shell script for that node."""

from __future__ import annotations

import shlex

from haos.core.guestnet import KEEP_MARKER, keep_path
from haos.core.keepalived import (
    DROP_IN_PATH,
    HAOS_FOLDER,
    INCLUDE_LINE,
    MAIN_MARKER,
    MAIN_PATH,
    WITHDRAWN_SUFFIX,
    main_lines,
    pair_path,
)

PACKAGE_REMOVAL = "apt-get purge -y keepalived || dnf remove -y keepalived || zypper --non-interactive rm keepalived"


def removal_script(pair: str, *, purge: bool) -> str:
    """Return what takes a pair's files off a node and, with the last pair, what all pairs share."""
    path = pair_path(pair)
    checks = path.removesuffix("conf") + "check-*"
    script = (
        "set -e",
        f"rm -f {path} {path}{WITHDRAWN_SUFFIX} {checks}",
        "systemctl reload keepalived  # it lets go of the VIP",
        f"if ! ls {HAOS_FOLDER}/*.conf >/dev/null 2>&1; then",
        f"    ours={shlex.quote(chr(10).join(main_lines()))}",
        f"    others=$(sed 's/^[[:space:]]*//; s/[[:space:]]*$//; /^$/d' {MAIN_PATH} | grep -avxF \"$ours\" || true)",
        f'    if [ "$(head -n 1 {MAIN_PATH})" = \'{MAIN_MARKER}\' ] && [ -z "$others" ]; then',
        "        systemctl disable --now keepalived",
        f"        rm {MAIN_PATH}",
        "    else",
        f"        lines=$(grep -avxF '{INCLUDE_LINE}' {MAIN_PATH} || true)",
        f"        printf '%s\\n' \"$lines\" >{MAIN_PATH}",
        "        systemctl reload keepalived",
        "    fi",
        f"    rm -rf {HAOS_FOLDER} {DROP_IN_PATH}",
        f"    grep -lxF '{KEEP_MARKER}' {keep_path('*.network')} 2>/dev/null | while read -r file; do",
        '        rm "$file"',
        '        rmdir "${file%/*}" 2>/dev/null || true',
        "    done",
        "    systemctl daemon-reload",
        *([f"    {PACKAGE_REMOVAL}"] if purge else []),
        "fi",
    )
    return "\n".join(script)
