/** The part of a test runner (vitest, jest, node:test with an expect) that contracts need; passed in, so that this package needs none. */
export interface TestApi {
  /** Groups tests. */
  describe(name: string, body: () => void): void;
  /** One test. */
  it(name: string, body: () => Promise<void>): void;
  /** Compares, and throws on a difference. */
  expect(actual: unknown): {
    /** Equal in depth. */
    toEqual(expected: unknown): void;
    /** The same value. */
    toBe(expected: unknown): void;
    /** These fields at least. */
    toMatchObject(expected: object): void;
    /** No value. */
    toBeUndefined(): void;
    /** A larger number. */
    toBeGreaterThan(expected: number): void;
  };
}

/** The first `count` items of a stream. */
export async function take<T>(stream: AsyncIterable<T>, count: number): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) {
    items.push(item);
    if (items.length >= count) break;
  }
  return items;
}

/** Items up to and with the first that `last` accepts. */
export async function takeUntil<T>(stream: AsyncIterable<T>, last: (item: T) => boolean): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) {
    items.push(item);
    if (last(item)) break;
  }
  return items;
}
