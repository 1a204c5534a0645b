import type { NetworkPolicyDocument } from "../../api.ts";
import { type Page, remark, table } from "../page.ts";

export function networkPolicyPage({ isolation, edges, machines }: NetworkPolicyDocument): Page {
  return [
    table(
      "edge",
      ["FROM", "TO", "WHY"],
      edges.map(({ from, to, why }) => [from, to, why]),
      { empty: "no namespaces; deploy a manifest: ployzctl deploy -f ployz.toml" },
    ),
    remark(""),
    table(
      "machine",
      ["MACHINE", "POLICY", "AS COMMITTED"],
      machines.map(({ machine, policy, right, error }) => [
        machine,
        error === undefined ? policy : `${policy}: ${error.message}`,
        { text: right ? "yes" : "no", tone: right ? "ok" : "bad" },
      ]),
      { empty: "no machines" },
    ),
    ...(isolation === "on"
      ? []
      : [
          remark({
            text: "namespaces are not apart; to separate them: ployzctl mesh policy enable",
            tone: "warn",
          }),
        ]),
  ];
}
