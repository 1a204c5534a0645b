import { type Warning, warning } from "./codes.ts";
import type { Seen } from "./seen.ts";

export const suspendedWarnings = ({ namespaces }: Seen): readonly Warning[] =>
  namespaces.flatMap(({ namespace, commit }) =>
    Object.entries(commit.services)
      .filter(([, { suspended }]) => suspended)
      .map(([name]) =>
        warning("service_suspended", `${namespace}/${name}`, {
          message: `${namespace}/${name} does not run: its data was lost with a machine`,
          hint: "deploy it again to start it with an empty volume",
        }),
      ),
  );

export function namespaceWarnings({ namespaces, instances, storeAnswers }: Seen): readonly Warning[] {
  return namespaces.flatMap(({ namespace, running, wanted }): readonly Warning[] => {
    if (running >= wanted) return [];
    const unknown = instances.filter(
      (row) => row.committed && row.namespace === namespace && row.state === "unknown",
    );
    const away = [...new Set(unknown.map(({ machine }) => machine))].sort().join(", ");
    const rest = unknown.length === 0 ? "" : `, ${unknown.length} on ${away} unknown`;
    // Without the store the first warning covers this.
    if (unknown.length + running >= wanted && !storeAnswers) return [];
    return [
      warning("namespace_degraded", namespace, {
        message: `${namespace}: ${running} of ${wanted} instances run${rest}`,
        hint:
          unknown.length > 0
            ? `list them: ployzctl ps ${namespace}; start their machine again, or deploy again to replace them elsewhere`
            : `list them: ployzctl ps ${namespace}; deploy again to replace dead ones`,
      }),
    ];
  });
}
