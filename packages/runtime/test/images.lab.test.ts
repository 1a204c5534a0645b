import { chmod, cp, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "@ployz/exec";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ImageFiles, type ImageProgram, openProcessRuntime, type Runtime } from "../src/index.ts";
import { type Machine, makeMachine, traces } from "./machine.ts";

/** One image, as a folder with busybox; an instance's root is a copy. */
let machine: Machine;
let runtime: Runtime;
let folder: string;
const program: ImageProgram = {
  ...{
    entrypoint: ["/bin/sh", "-c"],
    command: ["echo from the image; exec sleep 1000"],
    env: { A: "1", B: "1" },
  },
  ...{ user: "web:staff", workingDir: "/srv/app", stopSignal: "USR1", volumes: ["/scratch/a"] },
};
const images: ImageFiles = {
  program: async () => program,
  async root(id) {
    const root = join(folder, "roots", id);
    if (!(await readdir(join(folder, "roots"))).includes(id))
      await cp(join(folder, "image"), root, { recursive: true, verbatimSymlinks: true });
    return root;
  },
  roots: () => readdir(join(folder, "roots")),
  removeRoot: (id) => rm(join(folder, "roots", id), { recursive: true, force: true }),
  within: (root, path) =>
    stat(join(root, path)).then(
      () => join(root, path),
      () => undefined,
    ),
};

const open = () =>
  openProcessRuntime({
    ...{ root: join(machine.dir, "lib/instances"), runDir: `/run/ployz-${machine.tag}` },
    ...{ logDir: join(machine.dir, "log"), cgroupParent: machine.cgroupParent, images },
  });

beforeAll(async () => {
  machine = await makeMachine();
  folder = await mkdtemp(join(machine.dir, "images-"));
  const image = join(folder, "image");
  for (const name of ["bin", "etc", "srv"]) await mkdir(join(image, name), { recursive: true });
  await mkdir(join(folder, "roots"));
  await cp("/bin/busybox", join(image, "bin/busybox"));
  for (const name of ["sh", "sleep", "cat", "id", "ls", "pwd", "touch", "kill"])
    await symlink("busybox", join(image, "bin", name));
  await writeFile(join(image, "etc/passwd"), "web:x:1234:1:web:/home/web:/bin/sh\n");
  await writeFile(join(image, "etc/group"), "staff:x:55:\n");
  await writeFile(join(image, "etc/shadow"), "of the image\n");
  await chmod(image, 0o755);
  runtime = await open();
  await runtime.ensureNetwork(machine.network);
});
afterAll(async () => {
  for (const { id } of await runtime.list()) await runtime.remove(id);
  await runtime.removeNetwork(machine.network);
  await machine.remove();
});

const image = `sha256:${"1".repeat(64)}`;
const sh = async (id: string, script: string) => {
  const { stdout, stderr } = await runtime.exec(id, ["/bin/sh", "-c", script]);
  return `${stdout}${stderr}`.trim();
};

test("an image runs as its configuration says, and sees its own files only", async () => {
  const before = await traces(machine.cgroupParent);
  await runtime.create(machine.spec("web", { image, env: { B: "2" } }));
  expect(await runtime.start("web")).toMatchObject({ state: "running", image });
  expect(await sh("web", 'id -u; id -g; pwd; echo "$A$B $HOME"')).toBe("1234\n55\n/srv/app\n12 /home/web");
  expect((await sh("web", "ls /")).split("\n").sort()).toEqual(
    ["bin", "dev", "etc", "proc", "scratch", "srv", "sys", "tmp"].sort(),
  );
  expect(await sh("web", "cat /etc/shadow; ls -d /scratch/a")).toBe("of the image\n/scratch/a");
  expect(await sh("web", "cat /etc/hosts /etc/resolv.conf")).toContain("search prod.cluster.local");
  expect(await sh("web", "touch /tmp/mine && ls /tmp")).toBe("mine");
  expect(await sh("web", "ls /dev/sda /dev/kmsg /dev/mem 2>&1; ls /dev/null")).toMatch(
    /No such.*\/dev\/null$/s,
  );
  await runtime.remove("web");
  expect(await readdir(join(folder, "roots"))).toEqual([]);
  const after = await traces(machine.cgroupParent);
  expect({ ...after, mounts: [] }).toEqual({ ...before, mounts: [] });
  expect(
    (after.mounts ?? []).filter((point) => point.startsWith(machine.dir) || point.includes("pz-")),
  ).toEqual([]);
});

test("its stop signal ends it, its files outlive a stop, and its fields are overridden", async () => {
  const trap = "trap 'exit 42' USR1; while :; do sleep 0.1; done";
  await runtime.create(machine.spec("own", { image, command: [trap], user: "0", workdir: "/" }));
  await runtime.start("own");
  expect(await sh("own", "id -u; pwd; touch /kept")).toBe("0\n/");
  await runtime.stop("own");
  expect(await runtime.inspect("own")).toMatchObject({ state: "exited", exitCode: 42 });
  runtime = await open();
  await runtime.adopt();
  await runtime.start("own");
  expect(await sh("own", "ls -d /kept")).toBe("/kept");
  await runtime.remove("own");
});

test("a job from an image keeps its exit code, a name that the image does not know is refused, and a stray root is swept", async () => {
  await runtime.create(
    machine.spec("job", { image, entrypoint: ["/bin/sh"], command: ["-c", "exit 7"], restart: "no" }),
  );
  await runtime.start("job");
  expect(await runtime.wait("job", AbortSignal.timeout(20_000))).toEqual({ exitCode: 7 });
  await expect(runtime.create(machine.spec("who", { image, user: "mallory" }))).rejects.toMatchObject({
    code: "user_unknown",
  });
  expect(await readdir(join(folder, "roots"))).toEqual(["job"]);
  await images.root("stray", image);
  await runtime.adopt();
  expect(await readdir(join(folder, "roots"))).toEqual(["job"]);
  await runtime.remove("job");
  expect((await run("sh", ["-c", `grep -c ${folder} /proc/self/mountinfo || true`])).stdout.trim()).toBe("0");
});
