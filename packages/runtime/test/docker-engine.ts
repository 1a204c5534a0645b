import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { findProgram, type RunningProgram, run, spawnStream, waitFor } from "@ployz/exec";
import Docker from "dockerode";
import { pack } from "tar-stream";

export const IMAGE = "ployz-test/busybox:1";

export interface Engine {
  readonly socketPath: string;
  readonly docker: Docker;
  /** kill -9, as a crash; `start` brings it back over the same data. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** A Docker engine of the test's own. It changes forwarding and iptables: the caller must be in a network namespace of its own. */
export async function startEngine(dir: string): Promise<Engine> {
  const dockerd = await findProgram("dockerd");
  if (dockerd === undefined) {
    throw new Error(
      "dockerd is not installed: apt-get install docker.io, or set PLOYZ_TEST_DOCKER=0 to leave these tests out",
    );
  }
  const socketPath = join(dir, "docker.sock");
  const docker = new Docker({ socketPath });
  let daemon: RunningProgram | undefined;
  await mkdir(join(dir, "engine"), { recursive: true });
  await chmod(dir, 0o755);
  await writeFile(join(dir, "daemon.json"), "{}"); // never the configuration of the machine
  const engine: Engine = {
    socketPath,
    docker,
    async start() {
      const paths = [
        "--data-root",
        join(dir, "engine"),
        "--exec-root",
        join(dir, "exec"),
        "--pidfile",
        join(dir, "pid"),
      ];
      daemon = spawnStream(
        dockerd,
        [
          ...paths,
          "--host",
          `unix://${socketPath}`,
          "--live-restore",
          "--config-file",
          join(dir, "daemon.json"),
        ],
        {
          okExitCodes: [0, 1],
        },
      );
      daemon.stdout.resume();
      let said = "";
      daemon.stderr.on("data", (chunk: Buffer) => {
        said = (said + chunk.toString("utf8")).slice(-4_000);
      });
      await waitFor(
        "dockerd",
        () =>
          docker.ping().then(
            () => true,
            () => undefined,
          ),
        { timeoutMs: 20_000 },
      ).catch((error) => {
        throw new Error(`dockerd did not start: ${said}`, { cause: error });
      });
    },
    async kill() {
      daemon?.kill("SIGKILL");
      await daemon?.done.catch(() => {});
    },
    async stop() {
      daemon?.kill("SIGTERM");
      await daemon?.done.catch(() => {});
      // After a crash the next one leaves its own bind mounts behind.
      const points = (await readFile("/proc/self/mountinfo", "utf8"))
        .split("\n")
        .map((line) => line.split(" ")[4] ?? "");
      for (const point of points.filter((path) => path.startsWith(dir))) {
        await run("umount", ["-l", point], { okExitCodes: [0, 32] });
      }
    },
  };
  await engine.start();
  return engine;
}

/** An image made of the machine's static busybox; nothing is fetched. */
export async function importBusybox(docker: Docker): Promise<void> {
  const tar = pack();
  const binary = await readFile("/usr/bin/busybox");
  tar.entry({ name: "bin/busybox", mode: 0o755 }, binary);
  for (const name of [
    "sh",
    "sleep",
    "env",
    "printf",
    "cat",
    "echo",
    "nc",
    "hostname",
    "touch",
    "true",
    "false",
    "id",
    "ls",
  ]) {
    tar.entry({ name: `bin/${name}`, type: "symlink", linkname: "busybox" });
  }
  tar.entry({ name: "tmp", type: "directory", mode: 0o1777 });
  tar.finalize();
  const [repo, tag] = IMAGE.split(":");
  const answer = await docker.importImage(Readable.from(tar), { repo, tag });
  for await (const _ of answer as Readable) {
    // the end of the answer is the end of the import
  }
}
