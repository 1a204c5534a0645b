import { type Warning, warning } from "./codes.ts";
import { lookAt, type Seen } from "./seen.ts";

export function storeWarnings({ machines, storeAnswers }: Seen): readonly Warning[] {
  const stores = machines.filter(({ record }) => record.store);
  const names = stores.map(({ record }) => record.id).join(", ");
  if (!storeAnswers) {
    const unknown = machines.filter(({ reachable }) => !reachable).map(({ record }) => record.id);
    const which =
      unknown.length === 0 ? "" : ` Until it does, the state of ${unknown.join(", ")} is unknown.`;
    return [
      warning("store_unreachable", "", {
        message: `the store on ${names} does not answer: changes are refused; workloads keep running.${which}`,
        hint: `check ${stores.map(lookAt).join(", ") || "the store's machine"}; all machines reconnect when it is back`,
      }),
    ];
  }
  if (stores.length === 1 && machines.length >= 3) {
    const three = [
      stores[0],
      ...machines.filter(({ record }) => !record.store && record.state === "active"),
    ].slice(0, 3);
    const ids = three.map((one) => one?.record.id).join(" ");
    return [
      warning("store_single", names, {
        message: `only ${names} holds the store: its loss would lose history, journals and secrets`,
        hint: `ployzctl machine storage promote --replicas 3 ${three.length === 3 ? ids : "M1 M2 M3"}`,
      }),
    ];
  }
  const down = stores.filter(({ reachable }) => !reachable).map(({ record }) => record.id);
  return stores.length > 1 && down.length > 0
    ? [
        warning("store_degraded", down.join(), {
          message: `${down.join(", ")} of the store machines ${names} ${down.length === 1 ? "does" : "do"} not answer: the store keeps working with ${stores.length - down.length} of ${stores.length}`,
          hint: `start ${down.join(", ")} again, or move the store: ployzctl machine storage promote --replicas ${stores.length} …`,
        }),
      ]
    : [];
}
