/**
 * Listen ports of a generation's store servers. During a re-founding two successive generations run on one machine, so odd and even ones
 * have different ports.
 */
export interface StorePorts {
  /** For members, on the overlay. */
  readonly client: number;
  /** Between the servers of a set, on the overlay. */
  readonly route: number;
  /** On loopback. */
  readonly monitor: number;
}

const ROUTES = 2_000;
const MONITOR = 8222;
const EVEN = 10;

export function storePorts(storePort: number, generation: number): StorePorts {
  const shift = generation % 2 === 0 ? EVEN : 0;
  return { client: storePort + shift, route: storePort + ROUTES + shift, monitor: MONITOR + shift };
}

/** Ports that workloads must not reach on the overlay: `store_port`, +10, +2000 and +2010. */
export const overlayStorePorts = (storePort: number): readonly number[] =>
  [1, 2].flatMap((generation) => {
    const { client, route } = storePorts(storePort, generation);
    return [client, route];
  });

/** Keeps the highest of them within the port range. */
export const HIGHEST_STORE_PORT = 65_535 - ROUTES - EVEN;
