# Sourced by every script (bash): the tools that scripts/setup.sh put into .cache come first in PATH.
ployz_root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
PATH=$ployz_root/.cache/tools/bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH
export TURBO_TELEMETRY_DISABLED=1 DO_NOT_TRACK=1
export npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false
if [ -x "$ployz_root/.cache/nats-server" ]; then
  export PLOYZ_NATS_SERVER=$ployz_root/.cache/nats-server
fi
