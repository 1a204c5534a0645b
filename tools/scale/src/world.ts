import { deployPrimitive, parseManifest } from "@ployz/primitives";
import { createMemoryCluster, type MemoryCluster } from "@ployz/primitives/testing";

/** With 20 instances in each namespace: 2,000 instances in 100 namespaces on 200 machines. */
const MACHINES_PER_NAMESPACE = 2;
const SERVICES = ["web", "api", "worker", "db"] as const;
/** Of every service, and on every machine. */
export const BUNDLE = `sha256:${"b".repeat(64)}`;

export const machineId = (index: number): string => `m${index + 1}`;
export const namespaceId = (index: number): string => `ns-${index + 1}`;

/** A manifest of one namespace: four services, of which two are routed, 20 instances in all (at the full size). */
export function manifestOf(
  namespace: string,
  change: number,
  machines: number,
  everyMachine = false,
): string {
  const replicas = Math.min(5, machines);
  const service = (name: string) =>
    `[services.${name}]\nbundle = "./x"\ncommand = ["x"]\nports = { http = 8080 }\nreplicas = ${replicas}\n` +
    `env = { V = "${name === "web" ? change : 0}" }\nready = { http = "/up", port = "http" }\n` +
    (name === "web" || name === "api" ? `routes = [{ host = "${name}.${namespace}.example.test" }]\n` : "");
  const agent = `[services.agent]\nbundle = "./x"\ncommand = ["x"]\nplacement = "every-machine"\nenv = { V = "${change}" }\n`;
  return `namespace = "${namespace}"\n${SERVICES.map(service).join("")}${everyMachine ? agent : ""}`;
}

export function inputOf(toml: string) {
  const parsed = parseManifest(toml, "toml");
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.refusals));
  const names = Object.keys(parsed.manifest.services ?? {});
  return { manifest: parsed.manifest, bundles: Object.fromEntries(names.map((name) => [name, BUNDLE])) };
}

/** A cluster in memory whose namespaces are deployed. */
export async function deployedWorld(machines: number): Promise<MemoryCluster> {
  const ids = Array.from({ length: machines }, (_, index) => machineId(index));
  const world = await createMemoryCluster({ machines: ids, bundles: [BUNDLE] });
  for (let index = 0; index < namespacesOf(machines); index++) {
    const toml = manifestOf(namespaceId(index), 1, machines);
    const outcome = await world.run(deployPrimitive, { input: inputOf(toml), mode: "apply" });
    if (outcome.kind !== "operation" || outcome.state !== "done") throw new Error(JSON.stringify(outcome));
  }
  return world;
}

export const namespacesOf = (machines: number): number => Math.ceil(machines / MACHINES_PER_NAMESPACE);
