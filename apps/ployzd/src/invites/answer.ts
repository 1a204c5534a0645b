import {
  INVITE_ID,
  type Joiner,
  type Json,
  type OperationEvent,
  type Store,
} from "@ployz/primitives/protocol";
import { formatEndpoint } from "@ployz/wireguard";
import { PloyzError } from "../error-codes.ts";
import type { Runner } from "../operations/runner.ts";
import { holdsSecret } from "./invites.ts";
import type { JoinCall } from "./server.ts";

export interface AnswerOptions {
  readonly store: Pick<Store, "facts">;
  readonly runner: Pick<Runner, "run">;
  readonly cluster: { readonly id: string; readonly name: string; readonly clusterCidr: string };
  /** Whether other machines could reach a machine at its connection's source address. */
  observed(address: string): string | undefined;
  readonly wireguardPort: number;
}

const isRecord = (value: unknown): value is Readonly<Record<string, Json>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Compares the secret, then runs the join as a normal operation; its events go to the new machine. */
export async function answerJoin(call: JoinCall, options: AnswerOptions): Promise<void> {
  const { body } = call;
  if (!isRecord(body) || body.v !== 1 || !isRecord(body.self))
    throw new PloyzError({
      code: "invalid_input",
      message: "this is not a join request of version 1",
      hint: "install the same version on both machines; compare with: ployzctl version",
    });
  const { cluster, invite: id, secret, self } = body;
  if (cluster !== options.cluster.id)
    throw new PloyzError({
      code: "invite_wrong_cluster",
      message: `the invite is for another cluster than ${options.cluster.name}`,
      hint: "create an invite on a member of the right cluster: ployzctl machine invite create",
    });
  const found =
    typeof id === "string" && INVITE_ID.test(id) ? await options.store.facts.get(`invite.${id}`) : undefined;
  const invite = found?.value;
  if (!holdsSecret(invite, typeof secret === "string" ? secret : "") || invite === undefined)
    throw new PloyzError({
      code: "invite_unknown",
      message: `cluster ${options.cluster.name} has no such invite`,
      hint: "create another invite on a member: ployzctl machine invite create",
    });

  const input = {
    invite: invite.id,
    self: { ...self, endpoints: withObserved(self.endpoints, call, options) },
  };
  const joiner: Joiner = {
    async deliver(publicKey, document) {
      if (publicKey === self.publicKey && (await call.say({ document }))) return;
      throw new PloyzError({
        code: "joiner_gone",
        message: "the new machine closed the connection",
        hint: "run the same command again there",
      });
    },
    async retract(publicKey, operation) {
      if (publicKey === self.publicKey) await call.say({ leave: operation });
    },
  };
  const request = { primitive: "machine-join", mode: "apply", by: `invite ${invite.id}`, input } as const;
  // Also after the machine disconnects: the operation decides, not the connection.
  for await (const event of options.runner.run(request, joiner)) await tell(call, event);
}

async function tell(call: JoinCall, event: OperationEvent): Promise<void> {
  if (event.type === "refused") {
    const [error] = event.refusals;
    await call.say({ error: error ?? { code: "internal", message: "refused without details" } });
  }
  if (event.type !== "result") return;
  const { state, error, output, operation } = event.result;
  if (state === "done") await call.say({ joined: output });
  else
    await call.say({
      error: error ?? { code: "operation_failed", message: `operation ${operation} ended ${state}` },
    });
}

/** The connection's source address comes first, since it is known to work. The rest in the machine's order. */
function withObserved(
  endpoints: unknown,
  { from }: JoinCall,
  { observed, wireguardPort }: AnswerOptions,
): readonly Json[] {
  const own: readonly Json[] = Array.isArray(endpoints) ? endpoints : [];
  const address = observed(from);
  if (address === undefined) return own;
  const [first] = own;
  const port = typeof first === "string" ? Number(/:(\d{1,5})$/.exec(first)?.[1]) : Number.NaN;
  const seen = formatEndpoint(address, Number.isInteger(port) ? port : wireguardPort);
  return [seen, ...own.filter((one) => one !== seen)].slice(0, 32);
}
