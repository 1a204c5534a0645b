#!/bin/bash
# The boot sequence of a machine without systemd. Then waits forever: when this process dies, the machine is off.
cd /
exec </dev/null >>/var/log/boot.log 2>&1
echo "boot $(date -u +%FT%TZ)"
mkdir -p /run/sshd
find /tmp -mindepth 1 -delete
: >/run/utmp

/usr/sbin/sshd

# Start ZFS, and import and mount its pools, before any service starts.
if [ -x /usr/sbin/zfs-fuse ]; then /usr/lib/ployz-lab/start-zfs; fi

if [ -x /usr/sbin/dockerd ]; then
  dockerd >>/var/log/dockerd.log 2>&1 &
  timeout 30 sh -c 'until docker version >/dev/null 2>&1; do sleep 0.1; done'
fi

# Start software installed with update-rc.d again after a power cut.
for script in /etc/rc2.d/S*; do
  if [ -x "$script" ]; then RUNLEVEL=2 PREVLEVEL=N timeout 60 "$script" start; fi
done

touch /run/lab/ready
exec sleep infinity
