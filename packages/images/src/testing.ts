import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { MEDIA } from "./manifest.ts";

export const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** An image of these layers, as blobs by digest. */
export function testImage(layers: readonly Buffer[], architecture = "amd64") {
  const config = Buffer.from(
    JSON.stringify({ architecture, os: "linux", rootfs: { type: "layers", diff_ids: layers.map(digestOf) } }),
  );
  const described = (bytes: Buffer, mediaType: string) => ({
    ...{ mediaType, digest: digestOf(bytes), size: bytes.length },
  });
  const manifest = Buffer.from(
    JSON.stringify({
      ...{ schemaVersion: 2, mediaType: MEDIA.manifest },
      config: described(config, MEDIA.config),
      layers: layers.map((layer) => described(layer, "application/vnd.oci.image.layer.v1.tar")),
    }),
  );
  return {
    ...{ digest: digestOf(manifest), manifest, config },
    blobs: new Map([config, ...layers].map((bytes) => [digestOf(bytes), bytes])),
  };
}

/** An HTTP server on loopback that answers with `handle`. */
export async function listening(handle: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
