import type { Context, Input } from "../../command.ts";
import type { ErrorDocument } from "../../documents.ts";
import { PloyzError } from "../../error-codes.ts";
import type { Outcome } from "../../operation/follow.ts";
import { routeText } from "../../output/pages/namespaces.ts";
import { readConfig, type Settings } from "../../settings.ts";
import { installDaemon, needSupervisor } from "../daemon/install.ts";
import { needRoot, serviceHost } from "../daemon/service.ts";
import { initMesh } from "../mesh/mesh.ts";
import type { DevDocument } from "./documents.ts";
import { markMade } from "./marker.ts";
import { DEV_ROOT, ensureDevPool, POOL_MADE } from "./pool.ts";

export const CLUSTER = "dev";

export async function dev(context: Context, input: Input): Promise<DevDocument | Outcome | ErrorDocument> {
  needRoot(context.terminal.root, "dev");
  const settings = await context.settings();
  const configured = await readConfig(settings.configPath);
  const gatewayListen = listensOf(input.list("gateway-listen"), configured.gateway_listen);
  const pool = await preparePool(context, settings, configured);
  const { changed, service } = await installDaemon(context, {
    ...(pool !== undefined && { zfsRoot: DEV_ROOT }),
    ...(configured.runtime === undefined && { runtime: "host" as const }),
    gatewayListen,
  });
  await markMade(await context.settings(), [...changed, ...(pool === "created" ? [POOL_MADE] : [])]);
  const wrote = changed.length === 0 ? "" : ` (wrote ${changed.join(", ")})`;
  context.progress.note(service === "unchanged" ? "the daemon is running" : `started the daemon${wrote}`);

  const client = await context.client();
  let mesh = await client.request("GET /v1/mesh", { signal: context.signal });
  if (!mesh.joined) {
    context.progress.note(`creating the cluster ${CLUSTER}: tunnel, bridge, store, gateway, DNS`);
    mesh = await initMesh(context, { name: CLUSTER });
  }
  if (mesh.cluster === undefined || mesh.machine === undefined) {
    throw new PloyzError({
      code: "not_a_member",
      message: "the daemon started without its cluster",
      hint: "ployzctl doctor",
    });
  }
  const file = input.text("file");
  const deployed = file === undefined ? undefined : await deployTo(context, file);
  if (deployed !== undefined && (deployed.kind !== "operation" || deployed.state !== "done")) return deployed;
  if (deployed !== undefined && deployed.kind === "operation" && !deployed.changed)
    context.progress.note(`${input.text("file") ?? ""} is already deployed: nothing to change`);
  const { url, port } = reachedAt(gatewayListen);
  const namespace = deployed === undefined ? undefined : namespaceOf(deployed.output);
  const { namespaces } = await client.request("GET /v1/status", { signal: context.signal });
  const routes = namespaces
    .filter((row) => namespace === undefined || row.namespace === namespace)
    .flatMap((row) => row.routes.map((route) => withPort(routeText(route), port)));
  return {
    kind: "dev",
    gateway: url,
    cluster: mesh.cluster.name,
    machine: mesh.machine.id,
    dns: mesh.machine.address,
    ...(namespace !== undefined && { namespace }),
    routes,
  };
}

/** `undefined`: the operator configured a pool, or there is none. */
async function preparePool(
  context: Context,
  settings: Settings,
  { storage }: Readonly<Record<string, unknown>>,
): Promise<"created" | "imported" | "unchanged" | undefined> {
  const named = (storage as { readonly zfs_root?: unknown } | undefined)?.zfs_root;
  if (named !== undefined && named !== DEV_ROOT) return undefined;
  const host = await serviceHost(settings);
  await needSupervisor(host);
  const pool = await ensureDevPool(settings, host);
  if (pool.outcome !== "none") return pool.outcome;
  context.progress.note(`no volumes: ${pool.why}`);
  return undefined;
}

async function deployTo(context: Context, file: string): Promise<Outcome> {
  const { deployFile } = await import("../deploy/deploy.ts");
  return deployFile(context, { files: [file], settings: [], envFiles: [], preview: false, yes: true });
}

function namespaceOf(output: unknown): string | undefined {
  if (typeof output !== "object" || output === null || !("namespace" in output)) return undefined;
  return typeof output.namespace === "string" ? output.namespace : undefined;
}

/** As asked, or as configured: one address or several. */
export function listensOf(asked: readonly string[], configured: unknown): readonly string[] {
  if (asked.length > 0) return asked;
  const listens = [configured].flat().filter((one) => typeof one === "string");
  return listens.length > 0 ? listens : ["127.0.0.1:8080"];
}

/** Where this machine reaches the gateway: at the first address, or at its own where that stands for all. */
export function reachedAt([listen = ""]: readonly string[]): { readonly url: string; readonly port: string } {
  const colon = listen.lastIndexOf(":");
  const [host, port] = [listen.slice(0, colon), listen.slice(colon + 1)];
  const own = { "0.0.0.0": "127.0.0.1", "[::]": "[::1]" }[host] ?? host;
  return { url: `http://${own}:${port}`, port };
}

const withPort = (url: string, port: string): string =>
  port === "80" ? url : url.replace(/^(http:\/\/[^/]+)/, `$1:${port}`);
