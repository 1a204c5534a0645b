import {
  INVITE_ID,
  type Invite,
  type Joiner,
  type Json,
  type OperationEvent,
  type Store,
} from "@ployz/primitives";
import { formatEndpoint } from "@ployz/wireguard";
import { PloyzError } from "../error-codes.ts";
import type { Runner } from "../operations/runner.ts";
import { holdsSecret } from "./invites.ts";
import type { JoinCall } from "./server.ts";

export interface AnswerOptions {
  readonly store: Pick<Store, "facts">;
  readonly runner: Pick<Runner, "run">;
  readonly cluster: { readonly id: string; readonly name: string; readonly clusterCidr: string };
  /** Whether others could reach a machine at the address that its connection came from. */
  observed(address: string): string | undefined;
  readonly wireguardPort: number;
}

const isRecord = (value: unknown): value is Readonly<Record<string, Json>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Compares the secret, then runs the join as an operation like any other; what it says of itself goes to the new machine. */
export async function answerJoin(call: JoinCall, options: AnswerOptions): Promise<void> {
  const { body } = call;
  if (!isRecord(body) || body.v !== 1 || !isRecord(body.self))
    throw new PloyzError({
      code: "invalid_input",
      message: "this is not a join request of version 1",
      hint: "the versions of both machines must fit: ployzctl version",
    });
  const { cluster, invite: id, secret, self } = body;
  if (cluster !== options.cluster.id)
    throw new PloyzError({
      code: "invite_wrong_cluster",
      message: `the invite is for another cluster than ${options.cluster.name}`,
      hint: "on a member of the right one: ployzctl machine invite create",
    });
  const found =
    typeof id === "string" && INVITE_ID.test(id) ? await options.store.facts.get(`invite.${id}`) : undefined;
  const invite = found?.value as unknown as Invite | undefined;
  if (!holdsSecret(invite, typeof secret === "string" ? secret : "") || invite === undefined)
    throw new PloyzError({
      code: "invite_unknown",
      message: `${options.cluster.name} does not know this invite`,
      hint: "on a member: ployzctl machine invite create",
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
        message: "the machine no longer waits for its answer",
        hint: "run the same command there again",
      });
    },
    async retract(publicKey, operation) {
      if (publicKey === self.publicKey) await call.say({ leave: operation });
    },
  };
  const request = { primitive: "machine-join", mode: "apply", by: `invite ${invite.id}`, input } as const;
  // Also when the machine goes away: the operation decides, not the connection.
  for await (const event of options.runner.run(request, joiner)) await tell(call, event);
}

async function tell(call: JoinCall, event: OperationEvent): Promise<void> {
  if (event.type === "refused") {
    const [error] = event.refusals;
    await call.say({ error: error ?? { code: "internal", message: "refused without a reason" } });
  }
  if (event.type !== "result") return;
  const { state, error, output, operation } = event.result;
  if (state === "done") await call.say({ joined: output });
  else
    await call.say({
      error: error ?? { code: "operation_failed", message: `operation ${operation} ended ${state}` },
    });
}

/** Where the connection came from is the address that is known to lead somewhere: first. The rest as the machine ranked it. */
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
