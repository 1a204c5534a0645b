/** The part of a test runner (vitest, jest, node:test with an expect) that contracts need; passed in, so that this package needs none. */
export interface TestApi {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => Promise<void>): void;
  expect(actual: unknown): {
    toEqual(expected: unknown): void;
    toBe(expected: unknown): void;
    toMatchObject(expected: object): void;
    toBeUndefined(): void;
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
