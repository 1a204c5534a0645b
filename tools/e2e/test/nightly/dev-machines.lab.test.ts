import { createReadStream } from "node:fs";
import { join } from "node:path";
import { run } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, node, openCluster, root } from "../../src/cluster.ts";

/** One lab machine with Docker is the developer's computer. */
let cluster: Cluster;
const LONG = 600_000;
const sh = async (script: string) =>
  (await cluster.lab.sh(1, ["sh", "-ec", script], { timeoutMs: LONG })).stdout.trim();

const WEB = `require("node:http").createServer((_, answer) => answer.end(require("node:fs").readFileSync("/data/since"))).listen(8080);
process.on("SIGTERM", () => process.exit(0));`;
const MANIFEST = `namespace = "app"

[services.web]
bundle = "./web"
command = ["./start"]
ports = { http = 8080 }
routes = [{ host = "web.example.test", port = "http" }]
ready = { http = "/", port = "http" }
volumes = { data = "/data" }

[volumes.data]
`;

beforeAll(async () => {
  cluster = await openCluster({ machines: 1, members: 0, docker: true });
  const built = await run(join(root, "tools/release/build-machine-image"), [], { timeoutMs: LONG });
  const image = built.stdout.trim().split("\n").at(-1) ?? "";
  await cluster.lab.sh(1, ["sh", "-c", "cat >/root/image.tar.gz"], {
    ...{ input: createReadStream(image), timeoutMs: LONG },
  });
  await cluster.lab.sh(1, ["sh", "-c", "mkdir -p /root/app/web; cat >/root/app/ployz.toml"], {
    input: MANIFEST,
  });
  const start = `#!/bin/sh\n[ -e /data/since ] || echo first >/data/since\nexec ${node} -e '${WEB}'\n`;
  await cluster.lab.sh(1, ["sh", "-c", "cat >/root/app/web/start; chmod +x /root/app/web/start"], {
    input: start,
  });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const page = () =>
  sh(
    "curl -fsS --retry 20 --retry-all-errors --retry-delay 1 -H 'Host: web.example.test' http://127.0.0.1:8080/",
  );

it("three machines in containers deploy, branch and migrate with the commands of production", async () => {
  await sh("ployzctl dev --machines 3 --image /root/image.tar.gz");
  expect(JSON.parse(await sh("ployzctl --json machine ls")).machines).toHaveLength(3);
  await sh("ployzctl deploy -f /root/app/ployz.toml --yes");
  expect(await page()).toBe("first");
  await sh("ployzctl branch app check && ployzctl exec check/web -- sh -c 'echo branch >/data/since'");
  await sh("ployzctl migrate app/web --to m3");
  expect(await page()).toBe("first");
  expect(await sh("ployzctl exec check/web -- cat /data/since")).toBe("branch");
});

it("they keep their data while they are stopped", async () => {
  await sh("ployzctl dev stop");
  expect(await sh("docker ps -q")).toBe("");
  await sh("ployzctl dev start");
  expect(await page()).toBe("first");
  expect(await sh("ployzctl exec check/web -- cat /data/since")).toBe("branch");
});

it("and leave the image alone behind", async () => {
  await sh("ployzctl dev down");
  expect(await sh("docker ps -aq; docker volume ls -q; docker network ls -q --filter name=ployz")).toBe("");
  expect(JSON.parse(await sh("ployzctl --json context ls")).contexts).toEqual([]);
});
