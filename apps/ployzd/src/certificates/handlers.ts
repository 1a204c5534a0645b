import { errorBody } from "@ployz/errors";
import {
  CERTIFICATES,
  type Challenge,
  type Commands,
  certificateFor,
  certificateKey,
  type MachineRecord,
  type Machines,
  type Store,
  secretKey,
} from "@ployz/primitives/protocol";
import { portOf } from "../config/listen.ts";
import type { Config } from "../config/load.ts";
import { PloyzError } from "../error-codes.ts";
import { askChallenge } from "../host/follower-client.ts";
import type { Handlers } from "../participant/handlers.ts";
import type { SecretKeeper } from "../secrets/keeper.ts";
import { accountOf, authorityOf } from "./accounts.ts";
import type { Answer, Solver } from "./acme.ts";
import { checkCertificate, trustedRoots } from "./check.ts";
import { overDns } from "./dns.ts";
import type { CertificateKeeper } from "./keep.ts";
import { seal } from "./sealed.ts";

export interface CertificateDeps {
  readonly self: string;
  readonly store: Pick<Store, "facts">;
  readonly machines: Machines;
  readonly secrets: SecretKeeper;
  readonly kept: CertificateKeeper;
  readonly gatewaySocket: string;
  readonly config: Pick<Config, "gatewayListen" | "gatewayHttpsListen">;
  members(): readonly MachineRecord[];
  /** Runs `cert-issue` for a host, and waits for its end. */
  issue(host: string, signal: AbortSignal, progress: (note: string) => void): Promise<void>;
}

const CHALLENGE_MS = 10_000;
/** HAProxy is reloaded. */
const RELOAD_MS = 40_000;

/** Port 80 before port 443, where both listen, and where neither does: a port of the outside may lead to another one here. */
function fitting({ gatewayListen, gatewayHttpsListen }: CertificateDeps["config"], alpn: boolean): Challenge {
  const [http, https] = [gatewayListen, gatewayHttpsListen].map(([first = ""]) => portOf(first));
  return http !== 80 && https === 443 && alpn ? "tls-alpn-01" : "http-01";
}

export function certificateHandlers(
  deps: CertificateDeps,
): Pick<Handlers, Extract<keyof Commands, `certificate.${string}`>> {
  const { store, secrets, self } = deps;
  const { facts } = store;
  return {
    async "certificate.order"(
      { names, staging, operation, dns, challenge, alpn = false },
      { signal, progress },
    ) {
      const place = { namespace: CERTIFICATES, name: `c${operation.toLowerCase()}` };
      const before = (await facts.get(secretKey(place)))?.value;
      if (before?.certificate !== undefined)
        return { certificate: before.certificate, sealed: { ...place, version: before.version } };
      const by = `${operation}@${self}`;
      const authority = await authorityOf({ facts });
      const account = await accountOf({ facts, secrets }, staging, by);
      const roots = [...(await trustedRoots()), ...(authority?.root === undefined ? [] : [authority.root])];
      const kind = challenge ?? fitting(deps.config, alpn);
      // Loaded when it is first needed: it is large, and most daemons never order.
      const { orderCertificate } = await import("./acme.ts");
      const present = (await facts.get(certificateKey(names[0] ?? "")))?.value;
      const { renewalInfo, ...issued } = await orderCertificate(account, names, {
        ...{ roots, signal, progress, replaces: present?.renewalInfo },
        solver:
          dns === undefined
            ? overGateways(deps, { kind, order: operation, signal })
            : overDns(dns.provider, await secretOf(deps, dns.secret), { signal, progress }),
      });
      const { certificate, pem } = checkCertificate(issued, {
        ...{ name: names[0] ?? "", now: new Date() },
        ...{ method: dns === undefined ? kind : "dns-01", directory: account.directory },
        ...(dns !== undefined && { dns }),
        ...(challenge !== undefined && { challenge }),
        ...(renewalInfo !== undefined && { renewalInfo }),
      });
      return {
        certificate,
        sealed: await seal({ facts, secrets }, { name: place.name, pem, certificate, by }),
      };
    },
    async "certificate.forget"({ sealed }) {
      await secrets.remove({ namespace: CERTIFICATES, name: sealed });
      return null;
    },
    "certificate.serve": async ({ name }, { signal }) => ({ served: await deps.kept.serve(name, signal) }),
    async "certificate.challenge"(args, { signal }) {
      await askChallenge(deps.gatewaySocket, args, signal);
      return null;
    },
    async "certificate.ensure"({ hosts }, { signal, progress }) {
      const issued: string[] = [];
      for (const host of hosts) {
        const records = (await facts.list("certificate")).map(({ value }) => value);
        if (certificateFor(host, records) !== undefined) continue;
        await deps.issue(host, signal, progress);
        issued.push(host);
      }
      return { issued };
    },
  };
}

/** Every machine's gateway answers, whichever of them the authority asks. One that does not follow orders now is not asked by it either, or the order fails. */
function overGateways(
  { machines, members }: CertificateDeps,
  { kind, order, signal }: { readonly kind: Challenge; readonly order: string; readonly signal: AbortSignal },
): Solver {
  const tell = async (answers: readonly Answer[]): Promise<void> => {
    const told = await Promise.allSettled(
      members().map(({ id }) =>
        machines.call(
          id,
          "certificate.challenge",
          {
            order,
            answers: Object.fromEntries(
              answers.flatMap(({ token, text, proof }) => (proof === undefined ? [[token, text]] : [])),
            ),
            proofs: Object.fromEntries(
              answers.flatMap(({ host, proof }) => (proof === undefined ? [] : [[host, proof]])),
            ),
          },
          { timeoutMs: kind === "http-01" ? CHALLENGE_MS : RELOAD_MS, signal },
        ),
      ),
    );
    const failed = told.flatMap((one) => (one.status === "rejected" ? [errorBody(one.reason)] : []));
    if (failed.length < told.length) return;
    throw new PloyzError({
      code: "challenge_unreachable",
      message: `no gateway answers the authority's challenge: ${failed[0]?.message ?? "there is none"}`,
      hint: "check the gateways: ployzctl doctor",
    });
  };
  return { kind, present: tell, clear: () => tell([]) };
}

/** The value of the secret `NAMESPACE/SECRET`, as it is now. */
async function secretOf(
  { store, secrets }: Pick<CertificateDeps, "store" | "secrets">,
  given: string,
): Promise<string> {
  const [namespace = "", name = ""] = given.split("/");
  const fact = await store.facts.get(secretKey({ namespace, name }));
  if (fact === undefined)
    throw new PloyzError({
      code: "secret_missing",
      message: `there is no secret ${given}`,
      hint: `ployzctl secret set ${given} < FILE`,
    });
  const [value = ""] = await secrets.read([{ namespace, name, version: fact.value.version }]);
  return value;
}
