/** `www.example.com` of a branch `pr-42`: one label is changed, so that a wildcard name and certificate still fit. */
export const branchedHost = (namespace: string, host: string): string => `${namespace}--${host}`;

/** The host that a branch's host was made from; `undefined` when it was not made so. */
export function unbranchedHost(namespace: string, host: string): string | undefined {
  const prefix = `${namespace}--`;
  return host.startsWith(prefix) ? host.slice(prefix.length) : undefined;
}
