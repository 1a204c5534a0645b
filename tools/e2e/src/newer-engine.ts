import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@ployz/exec";
import type { Lab } from "@ployz/lab";

/** The newest first. */
const SUITES = ["forky", "trixie"];
const PACKAGES = ["docker.io", "docker-cli", "containerd", "runc"];

/**
 * Replaces the Docker Engine of these machines by one of a newer Debian, with containerd's store of images; resolves with its version.
 * Its packages come from where this host has its own. The machines run no containers yet.
 * @throws Error which names the suites and apt's own answers, when none has a newer engine
 */
export async function newerEngine(lab: Lab, machines: readonly number[]): Promise<string> {
  const { machines: all } = await lab.info();
  const rootOf = (i: number) => `/proc/${all[i - 1]?.init}/root`;
  const dir = await mkdtemp(join(tmpdir(), "ployz-engine-"));
  try {
    const debs = await download(dir, rootOf(machines[0] ?? 1));
    let version = "";
    for (const i of machines) {
      await run("cp", ["-r", debs, `${rootOf(i)}/srv/engine`]);
      version = (await lab.sh(i, ["sh", "-ec", REPLACE], { timeoutMs: 120_000 })).stdout.trim();
    }
    return version;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** docker.io is unpacked and not configured: that would start it by its init script. */
const REPLACE = `kill $(cat /run/docker.pid)
while [ -e /run/docker.pid ]; do sleep 0.1; done
exec 3>&1 >/var/log/engine-install.log 2>&1
trap '[ $? = 0 ] || tail -n 20 /var/log/engine-install.log /var/log/dockerd.log >&3' EXIT
dpkg --force-confold,depends,breaks,conflicts,overwrite --unpack /srv/engine/*.deb
dpkg --force-confold --configure $(for deb in /srv/engine/*.deb; do dpkg-deb -f $deb Package; done | grep -vx docker.io)
rm -r /srv/engine
echo '{ "live-restore": true, "features": { "containerd-snapshotter": true } }' >/etc/docker/daemon.json
setsid dockerd >>/var/log/dockerd.log 2>&1 </dev/null 3>&- &
for n in $(seq 300); do docker version >/dev/null 2>&1 && break; sleep 0.1; done
docker info -f '{{.DriverStatus}}' | grep -q io.containerd.snapshotter
docker version -f '{{.Server.Version}}' >&3`;

/** What apt would install there, and nothing installed here. */
async function download(dir: string, root: string): Promise<string> {
  const debs = join(dir, "cache/archives");
  for (const folder of ["state/lists/partial", "cache/archives/partial", "parts"])
    await mkdir(join(dir, folder), { recursive: true });
  await run("cp", [`${root}/var/lib/dpkg/status`, join(dir, "status")]);
  const settings = {
    "Dir::State": join(dir, "state"),
    "Dir::State::status": join(dir, "status"),
    "Dir::Cache": join(dir, "cache"),
    "Dir::Etc::sourcelist": join(dir, "sources.list"),
    "Dir::Etc::sourceparts": join(dir, "parts"),
    "Dir::Etc::preferencesparts": join(dir, "parts"),
    "Debug::NoLocking": "true",
    "APT::Sandbox::User": "root",
  };
  const apt = (args: readonly string[]) =>
    run(
      "apt-get",
      ["-qq", ...Object.entries(settings).map(([name, value]) => `-o${name}=${value}`), ...args],
      {
        timeoutMs: 300_000,
      },
    );
  const sources = await debianSources();
  const failures: string[] = [];
  for (const suite of SUITES) {
    await writeFile(join(dir, "sources.list"), sources.map((uri) => `deb ${uri} ${suite} main\n`).join(""));
    try {
      await apt(["update"]);
      await apt(["install", "-y", "--download-only", "--no-install-recommends", ...PACKAGES]);
      if ((await readdir(debs)).some((name) => name.startsWith("docker.io_"))) return debs;
      failures.push(`${suite}: nothing newer`);
    } catch (error) {
      failures.push(`${suite}: ${(error as Error).message}`);
    }
  }
  throw new Error(`no newer Docker Engine to be had by apt: ${failures.join("; ")}`);
}

/** Where this host's Debian comes from, without updates and security. */
async function debianSources(): Promise<readonly string[]> {
  const format = ["--format", "$(REPO_URI) $(ORIGIN) $(CODENAME) $(SUITE) $(COMPONENT)"];
  const { stdout } = await run("apt-get", ["indextargets", ...format, "Created-By: Packages"]);
  const found = stdout.split("\n").map((line) => line.split(" "));
  return [
    ...new Set(
      found.flatMap(([uri = "", origin, codename = "-", , component]) =>
        origin === "Debian" && component === "main" && !codename.includes("-") ? [uri] : [],
      ),
    ),
  ];
}
