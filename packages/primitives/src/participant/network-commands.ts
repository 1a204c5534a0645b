import Type, { type Static } from "typebox";

/** This machine's part of the network. */
export interface NetworkCommands {
  /** The packet filter that keeps namespaces apart, as this machine has it now. */
  "network.policy": { args: Record<never, never>; out: { policy: LoadedPolicy } };
}

/** `loaded`: exactly the one of the last commits. `changed`: another program changed or removed it. `off`: namespaces are not apart. */
export const LoadedPolicy = Type.Enum(["loaded", "changed", "off"]);
export type LoadedPolicy = Static<typeof LoadedPolicy>;
