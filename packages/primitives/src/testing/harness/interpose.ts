/** Sees every call: decides when and whether `effect` happens and what the caller gets. */
export type Hook = (
  name: string,
  args: readonly unknown[],
  effect: () => Promise<unknown>,
) => Promise<unknown>;

/**
 * The same object with every method call, of nested objects too, going through `hook` under its path (`store.leases.acquire`).
 * Methods named `follow` give streams and are left alone.
 */
export function interpose<T extends object>(target: T, hook: Hook, path = ""): T {
  return new Proxy(target, {
    get(object, key) {
      const value: unknown = Reflect.get(object, key);
      if (typeof key !== "string") return value;
      if (typeof value === "function") {
        if (key === "follow") return value.bind(object);
        return (...args: readonly unknown[]) =>
          hook(`${path}${key}`, args, async () => Reflect.apply(value, object, args));
      }
      return typeof value === "object" && value !== null ? interpose(value, hook, `${path}${key}.`) : value;
    },
  });
}
