import { access, constants } from "node:fs/promises";
import { errorBody } from "@ployz/errors";
import { findProgram } from "@ployz/exec";
import type { DoctorReport } from "../../api.ts";
import type { Context } from "../../command.ts";
import { installedPayload } from "../daemon/service.ts";

type Check = DoctorReport["checks"][number];

/** The daemon's checks; without a daemon, the checks that do not need it. */
export async function doctor(context: Context): Promise<DoctorReport> {
  try {
    return await (await context.client()).request("GET /v1/doctor", { signal: context.signal });
  } catch (error) {
    const { code, message, hint } = errorBody(error);
    if (code !== "daemon_unreachable" || (await context.remote()) !== undefined) throw error;
    const daemon: Check = {
      id: "daemon",
      title: "daemon",
      state: "fail",
      found: message,
      ...(hint !== undefined && { fix: hint }),
    };
    const checks = [daemon, ...(await checkAlone(context.terminal.root))];
    return { kind: "doctor", ok: false, checks };
  }
}

const PROGRAMS = [
  ["haproxy", "haproxy"],
  ["nft", "nftables"],
  ["ip", "iproute2"],
  ["wg", "wireguard-tools"],
  ["ping", "iputils-ping"],
] as const;

async function checkAlone(root: boolean): Promise<readonly Check[]> {
  const readable = (path: string) =>
    access(path, constants.F_OK).then(
      () => true,
      () => false,
    );
  const check = (id: string, ok: boolean, found: string, fix: string): Check =>
    ok ? { id, title: id, state: "ok", found } : { id, title: id, state: "fail", found, fix };
  const program = async (name: string, pkg: string) => {
    const path = await findProgram(name);
    return check(name, path !== undefined, path ?? "not installed", `apt-get install ${pkg}`);
  };
  const payload = await installedPayload().catch(() => undefined);
  const systemd = await readable("/run/systemd/system");
  const tun = await readable("/dev/net/tun");
  return [
    check("root", root, root ? "yes" : "no", "run it with sudo to see everything"),
    check(
      "payload",
      payload !== undefined,
      payload ?? "not installed",
      "unpack the release and run its ployz/install.sh",
    ),
    systemd ? check("supervisor", true, "systemd", "") : await program("s6-svscan", "s6"),
    ...(await Promise.all(PROGRAMS.map(([name, pkg]) => program(name, pkg)))),
    check(
      "tun",
      tun,
      tun ? "/dev/net/tun" : "no /dev/net/tun",
      "modprobe tun, or allow it for this container",
    ),
  ];
}
