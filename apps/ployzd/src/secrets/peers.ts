import { errorBody } from "@ployz/errors";
import type { MachineRecord } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import type { AskPeer } from "../peers/ask.ts";
import type { PeerCommand, PeerCommands } from "../peers/commands.ts";
import type { PeerHandlers } from "../peers/serve.ts";
import type { SecretKeeper } from "./keeper.ts";

type SecretCommand = Extract<PeerCommand, `secret.${string}`>;

/** A store machine's calls for other machines. `keeper` throws on other machines. */
export function secretHandlers(keeper: () => Promise<SecretKeeper>): Pick<PeerHandlers, SecretCommand> {
  return {
    "secret.set": async (args) => (await keeper()).set(args),
    "secret.remove": async (args) => (await keeper()).remove(args),
    "secret.read": async (args) => (await keeper()).read(args),
    "secret.held": async () => (await keeper()).held(),
  };
}

/** The same from any machine: calls the first store machine that answers. */
export function remoteKeeper({
  ask,
  self,
  members,
}: {
  readonly ask: AskPeer;
  readonly self: string;
  members(): readonly Pick<MachineRecord, "id" | "store">[];
}): SecretKeeper {
  const first = async <N extends SecretCommand>(
    command: N,
    args: PeerCommands[N]["args"],
  ): Promise<PeerCommands[N]["out"]> => {
    const holders = members()
      .filter(({ store }) => store)
      .sort((left, right) => Number(right.id === self) - Number(left.id === self));
    const failures: string[] = [];
    for (const { id } of holders) {
      const asked = performance.now();
      try {
        return await ask(id, command, args);
      } catch (error) {
        const { code, message } = errorBody(error);
        if (!ELSEWHERE.has(code)) throw error;
        failures.push(message);
        if (code === "store_unavailable" && performance.now() - asked >= TRIED_MS) break;
      }
    }
    throw new PloyzError({
      code: "store_unavailable",
      message: `no store machine answered: ${failures.join("; ")}`,
      hint: "check the store: ployzctl store status",
    });
  };
  return {
    set: (secret) => first("secret.set", secret),
    remove: (name) => first("secret.remove", name),
    read: (secrets) => first("secret.read", secrets),
    held: () => first("secret.held", null),
  };
}

/** A call of this length has waited for an election and tried every server: further machines would only repeat that. */
const TRIED_MS = 5_000;

/** Another store machine may succeed. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  "machine_unreachable",
  "store_unavailable",
  "store_forbidden",
  "not_a_store_machine",
  "no_such_command",
]);
