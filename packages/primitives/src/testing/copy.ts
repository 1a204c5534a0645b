/** A copy of a JSON value as from a wire, frozen all through: a copy of a copy costs nothing, and who changes one by mistake gets a `TypeError`. */
export function copy<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  if (Array.isArray(value)) return Object.freeze(value.map((item) => copy(item))) as T;
  return Object.freeze(
    Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copy(item)])),
  ) as T;
}
