import { createServer } from "node:net";

/** Free ports of 127.0.0.1, all different: all are held until all are known. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((resolve, reject) => {
        server.once("error", reject);
        server.listen(0, "127.0.0.1", () => resolve(server));
      });
    }),
  );
  return Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          const address = server.address();
          server.close(() =>
            address !== null && typeof address === "object"
              ? resolve(address.port)
              : reject(new Error("no port")),
          );
        }),
    ),
  );
}
