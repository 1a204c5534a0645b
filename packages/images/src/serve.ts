import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { ImageStore } from "./store/store.ts";

const PATH = /^\/v2\/(?:[a-z0-9._/-]+\/)(manifests|blobs)\/(sha256:[0-9a-f]{64})$/;

/**
 * Read-only part of the registry API (https://github.com/opencontainers/distribution-spec, "pull") over a store: by digest, under any
 * repository name. For the machine's own Docker engine: listen on loopback only, there is no authentication.
 */
export function registryHandler(store: ImageStore, log: (error: unknown) => void) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    void answer(store, request, response).catch((error: unknown) => {
      log(error);
      response.destroy(); // so that the engine sees that the content is cut
    });
  };
}

async function answer(store: ImageStore, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = "", url = "" } = request;
  // A page in a browser on this machine must not read it (DNS rebinding).
  const host = (request.headers.host ?? "").replace(/:\d+$/, "");
  if (!["127.0.0.1", "localhost"].includes(host)) return fail(response, 403, "DENIED");
  if (method !== "GET" && method !== "HEAD") return fail(response, 405, "UNSUPPORTED");
  response.setHeader("docker-distribution-api-version", "registry/2.0");
  if (url === "/v2/" || url === "/v2") return void response.writeHead(200).end();
  const [, kind, digest = ""] = PATH.exec(url) ?? [];
  const manifest = kind === "manifests" ? await store.manifest(digest) : undefined;
  const size = kind === "manifests" && manifest === undefined ? undefined : await sizeOf(store, digest);
  if (size === undefined)
    return fail(response, 404, kind === "manifests" ? "MANIFEST_UNKNOWN" : "BLOB_UNKNOWN");
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const start = from < size ? from : 0;
  response.writeHead(start > 0 ? 206 : 200, {
    "content-type": manifest?.mediaType ?? "application/octet-stream",
    "content-length": size - start,
    "docker-content-digest": digest,
    ...(start > 0 && { "content-range": `bytes ${start}-${size - 1}/${size}` }),
  });
  if (method === "HEAD") return void response.end();
  await pipeline(store.blobs.read(digest, start), response);
}

const sizeOf = async (store: ImageStore, digest: string): Promise<number | undefined> =>
  digest === "" ? undefined : store.blobs.sizeOf(digest);

function fail(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] }));
}
