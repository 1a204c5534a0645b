import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { openServiceHost } from "@ployz/exec";
import { mergeRoutes, openGateway } from "@ployz/gateway";

export async function example(listen: string, v1: number, v2: number) {
  const root = await mkdtemp("/tmp/ployz-gateway-example-");
  const services = await openServiceHost({ dir: join(root, "services"), logDir: join(root, "log") });
  const gateway = await openGateway({ dir: join(root, "gateway"), listen, services });

  const table = (version: string, port: number) => {
    const servers = [{ id: `prod/web/${version}`, address: "127.0.0.1", port }];
    const backend = { id: "prod/web/http", servers };
    const route = { kind: "http", id: "prod/web/0", host: "www.example.com", path: "/", backend } as const;
    const merged = mergeRoutes([{ version, routes: [route] }]); // one table per namespace
    if (!merged.ok) throw new Error(merged.refusals.map((refusal) => refusal.message).join("; "));
    return merged.table;
  };
  await gateway.apply(table("v1", v1)); // { changed: "reload" }: it was started
  const flipped = await gateway.apply(table("v2", v2)); // { changed: "runtime" }: every new request goes to v2
  const drained = await gateway.drain("prod/web/v1"); // and v1 has answered what it had
  gateway.close(); // HAProxy keeps running; gateway.stop() ends it
  return { root, gateway, flipped, drained };
}
