import { type Draft, type LimitCase, limitCases, limitManifest } from "@ployz/primitives/testing";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { makeImage } from "../../src/docker.ts";

/** Manifests at every limit, and one beyond, on real machines: each is deployed whole, or refused with exit code 2. */
const COUNT = Number(process.env.PLOYZ_LIMITS ?? 1000);
const SEED = Number(process.env.PLOYZ_SEED ?? Date.now() % 2 ** 31);

const real = limitCases.filter(({ onPaperOnly }) => onPaperOnly !== true);
/** Limits to be at together, and one to be beyond, if any. */
const drawnFrom = (cases: readonly LimitCase[]) =>
  fc.tuple(
    fc.subarray(real, { maxLength: 8 }),
    fc.option(fc.constantFrom(...cases), { freq: 2, nil: undefined }),
  );

type Instances = { readonly instances: readonly { readonly state: string; readonly restarts?: number }[] };

describe.each(["process", "docker"] as const)("the %s runtime", (kind) => {
  let cluster: Cluster;
  const source: Draft["spec"] = kind === "docker" ? { image: "limits:1" } : { bundle: "./empty" };
  let sequence = 0;

  beforeAll(async () => {
    cluster = await openCluster({ machines: 1, volumes: true, docker: kind === "docker" });
    if (kind === "docker") await makeImage(cluster, 1, "limits:1");
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  async function deploy(values: readonly Partial<Draft>[]) {
    const manifest = limitManifest(values, source);
    const dir = `/root/limits-${++sequence}`;
    const make = 'mkdir -p "$1/empty" && echo x > "$1/empty/f" && cat > "$1/ployz.json"';
    await cluster.lab.sh(1, ["sh", "-c", make, "sh", dir], { input: JSON.stringify(manifest) });
    const deployed = await cluster.ctl(1, ["deploy", "-f", `${dir}/ployz.json`, "--json"], { ok: [0, 2] });
    return { manifest, ...deployed };
  }

  /** `together`: limits that may exclude each other, which then is refused. */
  async function check(
    chosen: readonly LimitCase[],
    over: LimitCase | undefined,
    together = false,
  ): Promise<void> {
    const values = [...chosen.map(({ at }) => at), ...(over === undefined ? [] : [over.beyond])];
    const { manifest, exitCode, stdout } = await deploy(values);
    expect(stdout).not.toContain('"internal"');
    if (over !== undefined) {
      expect({ over: over.name, exitCode }).toEqual({ over: over.name, exitCode: 2 });
      return;
    }
    if (exitCode === 2 && together) return;
    expect({ exitCode, ...(exitCode !== 0 && { stdout }) }).toEqual({ exitCode: 0 });
    const { instances } = await cluster.json<Instances>(1, ["ps", manifest.namespace]);
    expect(instances.map(({ state, restarts }) => ({ state, restarts: restarts ?? 0 }))).toEqual([
      { state: "running", restarts: 0 },
    ]);
    await cluster.ctl(1, ["namespace", "rm", manifest.namespace, "--yes"]);
  }

  it.each(real.map((one) => [one.name, one] as const))("%s works", (_, one) => check([one], undefined));

  it(
    `${COUNT} manifests at the limits, seed ${SEED}`,
    async () => {
      const cases = limitCases.filter(({ ofBundles }) => kind === "process" || ofBundles !== true);
      const run = fc.asyncProperty(drawnFrom(cases), ([chosen, over]) => check(chosen, over, true));
      await fc.assert(run, { numRuns: COUNT, seed: SEED, endOnFailure: true });
    },
    12 * 3_600_000,
  );
});
