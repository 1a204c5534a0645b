import type { Api, JoinDocument, MeshInit, MeshStatus } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import type { ReadyDocument } from "../../documents.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { confirm } from "../../operation/confirm.ts";
import { readStdin } from "../../stdin.ts";

/** Creating and leaving a cluster starts and stops services: slower than other requests. */
const CHANGE_MS = 115_000;

export async function init(context: Context, input: Input): Promise<MeshStatus> {
  const machine = input.text("machine");
  const cidr = input.text("cidr");
  const prefix = input.number("subnet-prefix");
  const runtime = input.text("runtime");
  const endpoints = input.list("endpoint");
  const id = input.text("id");
  return initMesh(context, {
    name: await needLabel("NAME", input.argument("name")),
    ...(id !== undefined && { id }),
    ...(machine !== undefined && { machine: await needLabel("--machine", machine) }),
    ...(cidr !== undefined && { clusterCidr: cidr }),
    ...(prefix !== undefined && { subnetPrefixLength: prefix }),
    ...(runtime !== undefined && { runtime: runtime === "host" ? "process" : "docker" }),
    ...(endpoints.length > 0 && { endpoints }),
  });
}

export const initMesh = async (context: Context, body: MeshInit): Promise<MeshStatus> =>
  (await context.client()).request("POST /v1/mesh/init", { body, signal: context.signal, idleMs: CHANGE_MS });

export async function join(context: Context, input: Input): Promise<MeshStatus> {
  const [byToken, byDocument] = [input.flag("token-stdin"), input.flag("document-stdin")];
  if (byToken === byDocument)
    throw usage(
      "mesh join needs --token-stdin",
      "create the token on a member: ployzctl machine invite create; or add this machine over SSH: ployzctl machine add root@HOST",
    );
  if (byToken) {
    const token = (await readStdin(context, MAX_TOKEN, "token")).trim();
    if (token === "") throw usage("stdin holds no token", "ployzctl mesh join --token-stdin < FILE");
    return (await context.client()).request("POST /v1/mesh/join-by-token", {
      body: { token },
      signal: context.signal,
      idleMs: JOIN_MS,
    });
  }
  const body = await readDocument(context);
  return (await context.client()).request("POST /v1/mesh/join", {
    body,
    signal: context.signal,
    idleMs: CHANGE_MS,
  });
}

/** How long the daemon waits for the inviter, and then takes to start its services. */
const JOIN_MS = 200_000;
const MAX_TOKEN = 16 * 1024;
const MAX_DOCUMENT = 4 * 1024 * 1024;

async function readDocument(context: Context): Promise<JoinDocument> {
  const text = await readStdin(context, MAX_DOCUMENT, "join document");
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && "cluster" in value) return value as JoinDocument;
  } catch {} // not JSON: not a join document
  throw usage(
    "stdin holds no join document",
    "add the machine from a member: ployzctl machine add root@HOST",
  );
}

export async function leave(
  context: Context,
  body: Api["POST /v1/mesh/leave"]["body"],
): Promise<Api["POST /v1/mesh/leave"]["out"]> {
  return (await context.client()).request("POST /v1/mesh/leave", {
    body,
    signal: context.signal,
    idleMs: CHANGE_MS,
  });
}

export async function destroy(context: Context, yes: boolean): Promise<Api["POST /v1/mesh/leave"]["out"]> {
  if (!yes) {
    const mesh = await (await context.client()).request("GET /v1/mesh", { signal: context.signal });
    const name = mesh.cluster?.name;
    if (name === undefined) return { kind: "left", left: false };
    await confirm(
      context,
      "mesh destroy",
      `Destroy the cluster ${name}, its workloads and its records on this machine?`,
    );
  }
  return leave(context, { destroy: true });
}

/** After this long without a handshake a session has expired (WireGuard's reject-after-time). */
const HANDSHAKE_MS = 180_000;

export async function ready(context: Context): Promise<ReadyDocument> {
  const mesh = await (await context.client()).request("GET /v1/mesh", { signal: context.signal });
  const silent = mesh.peers.filter(({ handshakeAgeMs: age }) => age === undefined || age > HANDSHAKE_MS);
  const missing = [
    ...(mesh.joined ? [] : ["this machine is in no cluster"]),
    ...(mesh.joined && mesh.store !== "connected" ? ["the store is not reachable"] : []),
    ...silent.map(({ id }) => `no handshake with ${id}`),
  ];
  return { kind: "ready", ready: missing.length === 0, missing };
}
