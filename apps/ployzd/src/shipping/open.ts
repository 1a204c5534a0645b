import type { Runtime } from "@ployz/runtime";
import { forwardTarget } from "../config/forward.ts";
import type { Config } from "../config/load.ts";
import { openSend } from "./send.ts";
import { openShipper, type ShipDeps, type Shipper } from "./ship.ts";

/** Ships this machine's logs where its configuration says so; the runtime that it returns tells it of each start. */
export async function shipping(
  forward: Config["logForward"],
  {
    cluster,
    machine,
    ...deps
  }: Omit<ShipDeps, "to" | "send" | "runtime"> & {
    readonly cluster: string;
    readonly machine: string;
    readonly runtime: Runtime;
  },
): Promise<{ readonly runtime: Runtime; readonly shipper?: Shipper }> {
  const { runtime } = deps;
  const target = forward === undefined ? undefined : forwardTarget(forward.url);
  if (forward === undefined || target === undefined) return { runtime };
  const { ca } = forward;
  const send = openSend(target, { cluster, machine, ...(ca !== undefined && { ca }) });
  const shipper = await openShipper({ ...deps, to: target.shown, send });
  const start: Runtime["start"] = async (id) => {
    const status = await runtime.start(id);
    shipper.started(id);
    return status;
  };
  return { runtime: { ...runtime, start }, shipper };
}

/** A line for the problems of a machine; the same as long as the condition lasts. */
export function shippingProblems(shipper: Shipper | undefined): readonly string[] {
  const { state, to } = shipper?.state() ?? { state: "ok", to: "" };
  if (state === "ok") return [];
  return [state === "failing" ? `logs do not reach ${to}` : `logs reach ${to} more than a minute late`];
}
