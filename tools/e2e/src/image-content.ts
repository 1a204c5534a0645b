import type { Cluster } from "./cluster.ts";

const lines = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");

/** Everything that machine `i` keeps of images, one line each: blobs, parts, unpacked layers, roots of instances, and its engine's images and containers. */
export async function imageContent({ lab }: Cluster, i: number): Promise<readonly string[]> {
  return lines((await lab.sh(i, ["sh", "-c", LOOK], { timeoutMs: 60_000 })).stdout);
}

/** Its damage: a blob whose content has another digest, a file of an unfinished addition, a layer without its end, an engine's image with a name of a pull. */
export async function imageDamage({ lab }: Cluster, i: number): Promise<readonly string[]> {
  return lines((await lab.sh(i, ["sh", "-c", CHECK], { timeoutMs: 120_000 })).stdout);
}

const LOOK = `cd /var/lib/ployz/images 2>/dev/null || exit 0
ls blobs/sha256 2>/dev/null | sed 's/^/blob /'
ls ingest 2>/dev/null | sed 's/^/part /'
ls /var/lib/ployz/layers/making 2>/dev/null | sed 's/^/making /'
for kind in layers roots; do
  if zfs list tank/ployz >/dev/null 2>&1; then zfs list -rH -o name tank/ployz/$kind 2>/dev/null | sed -n "s,^tank/ployz/$kind/,$kind ,p"
  else ls /var/lib/ployz/layers/$kind 2>/dev/null | sed "s/^/$kind /"; fi
done
if docker version >/dev/null 2>&1; then
  docker images -aq --no-trunc | sort -u | sed 's/^/engine /'
  docker ps -aq --filter label=ployz.runtime.identity | sed 's/^/container /'
fi
true`;

const CHECK = `cd /var/lib/ployz/images 2>/dev/null || exit 0
for f in blobs/sha256/*; do [ -e "$f" ] || continue
  [ "$(sha256sum <"$f" | cut -d' ' -f1)" = "\${f##*/}" ] || echo "blob $f"; done
ls ingest 2>/dev/null | grep new-
zfs list -rH -o name tank/ployz/layers 2>/dev/null | tail -n +2 | while read -r name; do
  zfs list "$name@layer" >/dev/null 2>&1 || echo "layer $name"; done
if docker version >/dev/null 2>&1; then docker images --digests --format '{{.Repository}}@{{.Digest}}' | grep '^127.0.0.1'; fi
true`;
