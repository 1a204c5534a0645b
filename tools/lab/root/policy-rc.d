#!/bin/sh
# Asked by invoke-rc.d(8) before a package starts its service. zfs-fuse's own script gives up on hosts that do not let it
# lower its OOM score, so on a machine without systemd it is started here instead. Everything else starts as usual.
# An action in parentheses: invoke-rc.d saw no start link for it yet.
case "$1 $2" in "zfs-fuse start" | "zfs-fuse restart" | "zfs-fuse (start)" | "zfs-fuse (restart)") ;; *) exit 0 ;; esac
[ -e /run/lab/boot ] || exit 0
/usr/lib/ployz-lab/start-zfs </dev/null >>/var/log/boot.log 2>&1
exit 101
