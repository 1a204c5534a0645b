/** What a registry wants before it answers (RFC 9110, section 11.6.1; https://distribution.github.io/distribution/spec/auth/token/). */
export type Challenge =
  | { readonly scheme: "basic" }
  | { readonly scheme: "bearer"; readonly realm: string; readonly service?: string; readonly scope?: string };

/** `undefined`: no scheme that is known. */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  const [, scheme = "", rest = ""] = /^\s*(\w+)\s*(.*)$/.exec(header ?? "") ?? [];
  if (scheme.toLowerCase() === "basic") return { scheme: "basic" };
  if (scheme.toLowerCase() !== "bearer") return undefined;
  const found = new Map(
    [...rest.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key.toLowerCase(), value]),
  );
  const realm = found.get("realm");
  if (realm === undefined || !/^https?:\/\//.test(realm)) return undefined;
  const service = found.get("service");
  const scope = found.get("scope");
  return {
    ...{ scheme: "bearer", realm },
    ...(service !== undefined && { service }),
    ...(scope !== undefined && { scope }),
  };
}

/** Where to get a token from. */
export function tokenUrl(challenge: Extract<Challenge, { scheme: "bearer" }>, repository: string): URL {
  const url = new URL(challenge.realm);
  if (challenge.service !== undefined) url.searchParams.set("service", challenge.service);
  const scope = challenge.scope ?? (repository === "" ? undefined : `repository:${repository}:pull`);
  if (scope !== undefined) url.searchParams.set("scope", scope);
  return url;
}
