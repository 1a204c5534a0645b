/** This machine's part of the network. */
export interface NetworkCommands {
  /** The packet filter that keeps namespaces apart, as this machine has it now. */
  "network.policy": { args: Record<never, never>; out: { policy: LoadedPolicy } };
}

/** `loaded`: exactly the one of the last commits. `changed`: another program changed or removed it. `off`: namespaces are not apart. */
export type LoadedPolicy = "loaded" | "changed" | "off";
