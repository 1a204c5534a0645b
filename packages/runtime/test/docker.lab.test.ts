import { join } from "node:path";
import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type InstanceSpec, openDockerRuntime, type Runtime } from "../src/index.ts";
import { type Backend, runtimeContract } from "./contract.ts";
import { type Engine, IMAGE, importBusybox, startEngine } from "./docker-engine.ts";
import { type Machine, makeMachine } from "./machine.ts";

const wanted = process.env.PLOYZ_TEST_DOCKER !== "0";
const engines = new Map<string, Engine>();

const backend: Backend = {
  async open(machine, options) {
    let engine = engines.get(machine.tag);
    if (engine === undefined) {
      engine = await startEngine(join(machine.dir, "docker"));
      engines.set(machine.tag, engine);
      await importBusybox(engine.docker);
    }
    return openDockerRuntime({ socketPath: engine.socketPath, controlPorts: [4222], ...options });
  },
  program: (_machine, argv): Partial<InstanceSpec> => ({ image: IMAGE, command: argv }),
  close: async (machine) => engines.get(machine.tag)?.stop(),
};

describe.runIf(wanted)("docker", () => {
  runtimeContract("docker", backend);

  describe("docker: what an engine needs beyond the contract", () => {
    let machine: Machine;
    let runtime: Runtime;
    beforeAll(async () => {
      machine = await makeMachine();
      runtime = await backend.open(machine);
      await runtime.ensureNetwork(machine.network);
    });
    afterAll(async () => {
      for (const { id } of await runtime.list()) await runtime.remove(id);
      await runtime.removeNetwork(machine.network);
      await backend.close(machine);
      await machine.remove();
    });
    const sleeper = (id: string) => machine.spec(id, { image: IMAGE, command: ["sleep", "1000"] });

    test("containers run on through kill -9 of dockerd and are found again", async () => {
      await runtime.create(sleeper("steady"));
      const { pid } = await runtime.start("steady");
      const engine = engines.get(machine.tag) as Engine;
      await engine.kill();
      await expect(runtime.inspect("steady")).rejects.toMatchObject({ code: "docker_unavailable" });
      await engine.start();
      await runtime.ensureNetwork(machine.network);
      expect(await runtime.adopt()).toEqual({ adopted: ["steady"], dead: [] });
      expect(await runtime.inspect("steady")).toMatchObject({ state: "running", pid });
    });

    test("an image travels as a stream and keeps its id", async () => {
      const { images } = runtime;
      if (images === undefined) throw new Error("the docker runtime has images");
      const here = await images.resolve(IMAGE);
      expect(here?.id).toMatch(/^sha256:/);
      const stream = await images.export(IMAGE);
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      const engine = engines.get(machine.tag) as Engine;
      await images.tag(IMAGE, "ployz-test/other:2");
      const names = (await images.list()).find(({ id }) => id === here?.id)?.names ?? [];
      expect([...names].sort()).toEqual(["ployz-test/busybox:1", "ployz-test/other:2"]);
      for (const { id } of await runtime.list()) await runtime.remove(id);
      for (const name of [IMAGE, "ployz-test/other:2"])
        await engine.docker.getImage(name).remove({ force: true });
      expect(await images.has(here?.id ?? "")).toBe(false);
      const { Readable } = await import("node:stream");
      expect(await images.import(Readable.from(chunks))).toEqual({ id: here?.id });
      expect(await images.resolve(IMAGE)).toMatchObject({ id: here?.id, sizeBytes: here?.sizeBytes });
      await expect(images.import(Readable.from([Buffer.from("no tar")]))).rejects.toMatchObject({
        code: expect.stringMatching(/image_import_failed|docker_failed/),
      });
    });

    test("a user is who the image's own accounts say, also where nothing in it can run", async () => {
      const tar = pack();
      tar.entry({ name: "etc/passwd" }, "root:x:0:0::/:/\nweb:x:1234:1235::/:/\n");
      tar.entry({ name: "etc/group" }, "web:x:1235:\nstaff:x:50:web\n");
      tar.finalize();
      const ref = "ployz-test/accounts:1";
      const { docker } = engines.get(machine.tag) as Engine;
      const [repo, tag] = ref.split(":");
      const answer = await docker.importImage(Readable.from(tar), {
        ...{ repo, tag, changes: "USER web" },
      });
      for await (const _ of answer as Readable) {
        // its end is the end of the import
      }
      const owner = (image: string, user?: string) => runtime.ownerIn?.("i", image, user);
      expect(await owner(ref)).toEqual({ uid: 1234, gid: 1235 });
      expect(await owner(ref, "1234")).toEqual({ uid: 1234, gid: 1235 });
      expect(await owner(ref, "web:staff")).toEqual({ uid: 1234, gid: 50 });
      expect(await owner(ref, "7")).toEqual({ uid: 7, gid: 0 });
      await expect(owner(ref, "nobody")).rejects.toMatchObject({ code: "user_unknown" });
      expect(await owner(IMAGE)).toEqual({ uid: 0, gid: 0 }); // it has no accounts
      expect(await docker.listContainers({ all: true, filters: { name: ["accounts"] } })).toEqual([]);
    });

    test("missing objects are named", async () => {
      await expect(
        runtime.create({ ...sleeper("no-image"), image: "ployz-test/none:1" }),
      ).rejects.toMatchObject({ code: "image_missing" });
      await expect(
        runtime.create({ ...sleeper("no-mount"), mounts: [{ source: "/no/such", target: "/x" }] }),
      ).rejects.toMatchObject({ code: "mount_source_missing" });
      await expect(runtime.images?.pull("127.0.0.1:1/none:1")).rejects.toMatchObject({
        code: "image_pull_failed",
      });
      await expect(openDockerRuntime({ socketPath: "/run/no-such.sock" })).rejects.toMatchObject({
        code: "docker_unavailable",
      });
      expect(await runtime.list()).toEqual([]);
    });

    test("two instances cannot have one address, and the loser is removed cleanly", async () => {
      const first = sleeper("first");
      await runtime.create(first);
      await runtime.start("first");
      await runtime.create({ ...sleeper("second"), address: first.address });
      await expect(runtime.start("second")).rejects.toMatchObject({ code: "address_in_use" });
      await runtime.remove("second");
      expect((await runtime.list()).map(({ id }) => id)).toEqual(["first"]);
    });
  });
});
