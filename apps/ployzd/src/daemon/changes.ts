import type { Commit, MachineRecord } from "@ployz/primitives/protocol";
import type { Records } from "../state/records.ts";

/** A namespace has another last commit, or a member another record; without a record it is gone. */
export type MemberChange =
  | { readonly type: "commit"; readonly revision: number; readonly commit: Commit }
  | { readonly type: "machine"; readonly machine: string; readonly record: MachineRecord | undefined };

/** Follows the mirror's changes that are the cluster's. */
export const memberChanges =
  (mirror: Pick<Records, "heads" | "facts" | "onChange">) =>
  (listener: (change: MemberChange) => void): (() => void) =>
    mirror.onChange((change) => {
      if (change.type === "head") {
        const { key, revision } = change.entry;
        const head = mirror.heads().find((one) => one.key === key && one.revision === revision);
        if (head !== undefined) listener({ type: "commit", revision, commit: head.value });
      } else if (change.type === "fact" && change.key.startsWith("machine.")) {
        const record = mirror.facts("machine").find(({ key }) => key === change.key)?.value;
        listener({ type: "machine", machine: change.key.slice("machine.".length), record });
      }
    });
