import type { CallOptions } from "./call.ts";
import { mount, unmount } from "./datasets.ts";
import type { Dataset } from "./parse.ts";

/**
 * Unmounts the mounted ones of these (listed parents first), then does the work. Remounts them if either fails.
 * Returns the names that were mounted.
 */
export async function withUnmounted(
  all: readonly Dataset[],
  work: () => Promise<unknown>,
  options: CallOptions,
): Promise<readonly string[]> {
  const unmounted: string[] = [];
  try {
    for (const dataset of all.filter(({ mounted }) => mounted).reverse()) {
      if ((await unmount(dataset.name, options)) === "unmounted") unmounted.unshift(dataset.name);
    }
    await work();
    return unmounted;
  } catch (error) {
    for (const name of unmounted) await mount(name).catch(() => {}); // the first error is the one to report
    throw error;
  }
}
