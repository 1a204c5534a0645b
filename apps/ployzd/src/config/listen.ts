/** Of `address:port`. */
export const portOf = (listen: string): number => Number(listen.slice(listen.lastIndexOf(":") + 1));

/** Of `address:port`, without the brackets of IPv6. */
export const hostOf = (listen: string): string =>
  listen.slice(0, listen.lastIndexOf(":")).replaceAll(/[[\]]/g, "");

/** The one address that stands for all in a look at who listens: `0.0.0.0` is every one. */
export const listenAddress = (listens: readonly string[]): string => {
  const hosts = listens.map(hostOf);
  return hosts.some((host) => host === "0.0.0.0" || host.includes(":")) ? "0.0.0.0" : (hosts[0] ?? "0.0.0.0");
};
