import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, fixtures, node, openCluster } from "../../src/cluster.ts";
import { type Instances, within } from "../../src/survive.ts";

interface Hangs {
  readonly count: number;
  readonly why: string;
}
type Seen = Instances["instances"][number] & {
  readonly observed?: { readonly restarts: number; readonly pid?: number; readonly hangs?: Hangs };
};

const service = (name: string, extra: string) => `[services.${name}]
bundle = "./health"
command = ["${node}", "server.mjs"]
ports = { http = 8080, grpc = 9090 }
stop_grace = "1s"
${extra}
`;
const manifest = (extra = "") => `namespace = "prod"
${service("web", `ready = { http = "/", port = "http" }\nliveness = { http = "/", port = "http", every = "1s", timeout = "500ms", failures = 2 }\nenv = { STUBBORN = "yes" }\nroutes = [{ host = "web.test", port = "http" }]`)}
${service("rpc", `ready = { grpc = "", port = "grpc" }\nliveness = { grpc = "", port = "grpc", every = "1s", failures = 2 }`)}
${service("plain", `ready = { tcp = true, port = "http" }`)}
${extra}`;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster({ machines: 2 });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const deploy = async (text: string, ok: readonly number[] = [0]) =>
  cluster.ctl(
    1,
    ["deploy", "-f", await cluster.put(1, text, { health: join(fixtures, "health") }), "--json"],
    { ok },
  );
async function one(name: string): Promise<Seen> {
  const { instances } = await cluster.json<{ instances: readonly (Seen & { service: string })[] }>(1, ["ps"]);
  const found = instances.find(({ service }) => service === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}
const hang = async ({ address }: Seen) =>
  cluster.lab.sh(1, ["curl", "-s", "-m", "5", "-X", "POST", `http://${address}:8080/`]);

it("restarts hung instances alone, by HTTP and by gRPC, also one that ignores its stop signal", async () => {
  const refused = await deploy(
    manifest(service("bad", `env = { HUNG = "yes" }\nready = { grpc = "", port = "grpc", timeout = "2s" }`)),
    [1],
  );
  expect(refused.stdout).toContain("is NOT_SERVING");
  await deploy(manifest());
  const before = { web: await one("web"), rpc: await one("rpc"), plain: await one("plain") };
  for (const each of Object.values(before)) await hang(each);
  for (const name of ["web", "rpc"] as const)
    await within(`${name} was restarted`, 40_000, async () => {
      const now = await one(name);
      const { observed, id } = now;
      expect(id).toBe(before[name].id);
      return observed?.hangs?.count === 1 && observed.pid !== before[name].observed?.pid ? true : undefined;
    });
  expect((await one("web")).observed?.hangs?.why).toContain("no answer within 500 ms");
  expect((await one("rpc")).observed?.hangs?.why).toContain("NOT_SERVING");
  const { observed } = await one("plain");
  expect([observed?.restarts, observed?.hangs]).toEqual([0, undefined]);
  const { stdout } = await cluster.ctl(1, ["ps", "-o", "wide"]);
  expect(stdout.match(/1 \(1 hung\)/g)).toHaveLength(2);
  expect((await cluster.get(1, "web.test")).status).toBe(200);
});

it("makes a crash loop of one that hangs again and again, and a branch inherits the setting", async () => {
  await cluster.ctl(1, ["branch", "prod", "pr-1"]);
  const { stdout } = await cluster.ctl(1, ["show", "pr-1", "--manifest"]);
  expect(stdout.match(/liveness/g)).toHaveLength(2);
  let restarts = (await one("rpc")).observed?.restarts ?? 0;
  while (restarts < 3) {
    await hang(await one("rpc"));
    restarts = await within("rpc was restarted", 40_000, async () => {
      const now = (await one("rpc")).observed;
      return now !== undefined && now.restarts > restarts && now.pid !== undefined ? now.restarts : undefined;
    });
  }
  const status = await cluster.ctl(1, ["status"], { ok: [0, 1, 2, 3, 4] });
  expect(status.stdout + status.stderr).toMatch(/restarts again and again.* of them because it was hung/);
});
