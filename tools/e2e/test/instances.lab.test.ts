import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../src/cluster.ts";

/** Programs that end, and what an operator sees of them. */
let cluster: Cluster;

beforeAll(async () => {
  cluster = await openCluster({ machines: 2 });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const deploy = async (manifest: string, ok: readonly number[] = [0]) =>
  cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest, webBundle)], { ok });

const service = (name: string, command: readonly string[], extra = "") => `
[services.${name}]
bundle  = "./web"
command = ${JSON.stringify(command)}
${extra}`;
const shell = (script: string): readonly string[] => ["/bin/sh", "-c", script];

describe("a program that ends is never ready", () => {
  beforeAll(async () => {
    await deploy(webManifest({ replicas: 1 }));
  });

  const unready = (command: readonly string[]) =>
    `${webManifest({ replicas: 1, version: "v2" }).replace(/^command.*$/m, `command = ${JSON.stringify(command)}`)}`.replace(
      /^ready.*$/m,
      "",
    );

  it.each([
    ["fails at once", ["/bin/false"], /exit code 1/],
    ["succeeds at once", ["/bin/true"], /exit code 0/],
    ["is missing", ["/nope"], /exit code 127[^]*nope/],
    ["may not be executed", ["/app/server.mjs"], /exit code 126[^]*server\.mjs/],
    [
      "ends shortly before it has settled",
      shell("sleep 0.8; echo tired >&2; exit 4"),
      /exit code 4[^]*tired/,
    ],
    ["ends without a newline", shell("printf 'FATAL x' >&2; exit 1"), /exit code 1[^]*FATAL x/],
  ])(
    "when it %s: exit 1, with exit code and last lines, and the old version serves",
    async (_, command, why) => {
      const { stdout, stderr } = await deploy(unready(command), [1]);
      expect(stdout + stderr).toMatch(why);
      expect((await cluster.get(1, "www.example.test")).body).toContain('"version":"v1"');
    },
  );

  it("on a busy machine either", async () => {
    const burn = "i=0; while [ $((i+=1)) -le 16 ]; do setsid timeout 15 sh -c 'while :; do :; done' & done";
    await cluster.lab.sh(1, ["sh", "-c", `{ ${burn}; } >/dev/null 2>&1 </dev/null`]);
    for (const command of [["/bin/false"], ["/nope"]]) {
      const { stdout, stderr } = await deploy(unready(command), [1]);
      expect(stdout + stderr).toMatch(/exit code 1/);
    }
  });

  it("when it ends after `settle` it is ready: that long it ran", async () => {
    const lasting = service("brief", shell("sleep 2; exit 3"), 'ready = { settle = "500ms" }');
    await deploy(`namespace = "brief"\n${lasting}`);
    const { stdout, stderr } = await deploy(
      `namespace = "brief"\n${service("brief", shell("sleep 2; exit 3"), 'ready = { settle = "4s" }\nenv = { A = "1" }')}`,
      [1],
    );
    expect(stdout + stderr).toMatch(/exit code 3/);
    await cluster.ctl(1, ["namespace", "rm", "brief", "--yes"]);
  });
});
