import type { Cluster } from "./cluster.ts";

/** Makes the image `ref` on machine `i` alone, from the static busybox of the machine: no registry is needed. `mib` of noise make it larger. */
export async function makeImage({ lab }: Cluster, i: number, ref: string, mib = 0): Promise<void> {
  await lab.sh(i, ["sh", "-c", MAKE, "sh", ref, String(mib)], { timeoutMs: 60_000 });
}

const MAKE = `set -e
root=$(mktemp -d); mkdir "$root/bin" "$root/tmp" "$root/etc"
cp /bin/busybox "$root/bin/"
for applet in sh httpd nslookup wget cat hostname sleep mkdir echo; do ln -s busybox "$root/bin/$applet"; done
echo "$1" >"$root/etc/image"
[ "$2" = 0 ] || head -c "$2M" /dev/urandom >"$root/noise"
tar -C "$root" -c . | docker import - "$1" >/dev/null
rm -r "$root"
`;

export interface ImageService {
  readonly image: string;
  readonly version?: string;
  readonly replicas?: number;
  /** Runs before the server starts. */
  readonly first?: string;
  readonly command?: readonly string[];
  readonly extra?: string;
  readonly namespace?: string;
}

/** One routed service from an image of `makeImage`; it answers its version, host name and address. It exits at once on SIGTERM. */
export function imageManifest(options: ImageService): string {
  const { image, version = "v1", replicas = 3, first = ":", extra = "", namespace = "shop" } = options;
  const server = [
    `echo ${version} starting on $(hostname -i)`,
    first,
    `mkdir -p /tmp/www; echo ${version} $(hostname) $(hostname -i) >/tmp/www/index.html`,
    "trap 'echo ending; exit 0' TERM; httpd -f -v -p 8080 -h /tmp/www & wait",
  ].join("; ");
  const command = options.command ?? ["/bin/sh", "-c", server];
  return `namespace = "${namespace}"

[services.web]
image    = "${image}"
command  = ${JSON.stringify(command)}
replicas = ${replicas}
ports    = { http = 8080 }
routes   = [{ host = "www.example.test", port = "http" }]
ready    = { http = "/", port = "http", timeout = "20s" }
drain    = "5s"
${extra}`;
}
