import { ExecError, run, spawnStream } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import { type ContainerHost, hostText } from "./host.ts";
import type { Remote } from "./ssh.ts";

/** A container, by the docker(1) of this computer, whose own settings name the engine. */
export function openContainer({ container }: ContainerHost): Remote {
  const name = hostText({ container });
  const runs = async (signal?: AbortSignal) => {
    try {
      const asked = ["inspect", "--type", "container", "--format", "{{.State.Running}}", container];
      const { stdout } = await run("docker", asked, { timeoutMs: 10_000, ...(signal && { signal }) });
      return stdout.trim() === "true";
    } catch (error) {
      if (error instanceof ExecError && error.exitCode !== undefined)
        throw new PloyzError({
          code: "container_absent",
          message: `${name}: ${(error.stderr ?? "").trim().split("\n").at(-1) ?? "docker fails"}`,
          hint: "docker ps -a shows the containers of this computer",
        });
      throw error;
    }
  };
  return {
    name,
    isOpen: () => runs().catch(() => false),
    async login(signal) {
      if (await runs(signal)) return;
      throw new PloyzError({
        code: "container_stopped",
        message: `${name} does not run`,
        hint: `docker start ${container}; machines of dev: ployzctl dev start`,
      });
    },
    start: (command) =>
      spawnStream("docker", ["exec", "-i", container, "sh", "-c", command], { ownSession: true }),
    startWithAgent() {
      throw new PloyzError({
        code: "ssh_identity_missing",
        message: `${name}: a container does not reach this computer's SSH agent`,
        hint: "name the private key: --identity PATH",
      });
    },
    end: async () => {},
  };
}
