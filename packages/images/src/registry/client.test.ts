import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { errorBody } from "@ployz/errors";
import { afterEach, describe, expect, it } from "vitest";
import { parseReference } from "../reference.ts";
import { listening, testImage } from "../testing.ts";
import { parseChallenge } from "./challenge.ts";
import { type Credentials, openRegistry } from "./client.ts";
import { getOver } from "./http.ts";

const image = testImage([Buffer.from("a layer")]);
const [layer = ""] = [...image.blobs.keys()].slice(1);
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

type Handler = (request: IncomingMessage, response: ServerResponse, host: () => string) => void;

async function registry(handle: Handler, login?: Credentials) {
  const asked: string[] = [];
  const server = await listening((request, response) => {
    asked.push(`${request.url} ${request.headers.authorization ?? "-"}`);
    handle(request, response, () => server.host);
  });
  open.push(server);
  const client = openRegistry({ get: getOver(() => ({})), credentials: async () => login });
  const ref = parseReference(`${server.host}/team/web:v4`);
  return { ...server, client, ref, asked, signal: new AbortController().signal };
}
const code = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error: unknown) => errorBody(error).code,
  );
const answer = (statusCode: number, headers: Record<string, string> = {}, body = Buffer.alloc(0)) =>
  Object.assign(Readable.from([body]), { statusCode, headers }) as IncomingMessage;
const status =
  (code: number, headers: Record<string, string> = {}): Handler =>
  (_request, response) =>
    void response.writeHead(code, headers).end();

describe("a registry", () => {
  it("resolves a tag with one request", async () => {
    const { client, ref, asked, signal } = await registry((_request, response) =>
      response.writeHead(200).end(image.manifest),
    );
    expect((await client.manifest(ref, signal)).digest).toBe(image.digest);
    expect(asked).toEqual(["/v2/team/web/manifests/v4 -"]);
  });

  it("gets a token for its credentials once, and uses it for what follows", async () => {
    const { client, ref, asked, signal } = await registry(
      (request, response, host) => {
        if (request.url?.startsWith("/token")) return response.end('{"token":"t1"}');
        if (request.headers.authorization === "Bearer t1") return response.end(image.manifest);
        return response
          .writeHead(401, { "www-authenticate": `Bearer realm="http://${host()}/token",service="reg"` })
          .end();
      },
      { username: "bot", password: "s3cret" },
    );
    await client.manifest(ref, signal);
    await client.manifest(ref, signal);
    const basic = `Basic ${Buffer.from("bot:s3cret").toString("base64")}`;
    expect(asked).toEqual([
      "/v2/team/web/manifests/v4 -",
      `/token?service=reg&scope=repository%3Ateam%2Fweb%3Apull ${basic}`,
      "/v2/team/web/manifests/v4 Bearer t1",
      "/v2/team/web/manifests/v4 Bearer t1",
    ]);
  });

  it("gets a new token when the old one has expired", async () => {
    let tokens = 0;
    const { client, ref, signal } = await registry((request, response, host) => {
      if (request.url?.startsWith("/token")) return response.end(`{"access_token":"t${++tokens}"}`);
      if (request.headers.authorization === `Bearer t${tokens}` && tokens !== 1)
        return response.end(image.manifest);
      if (request.headers.authorization === "Bearer t1" && tokens === 1) {
        tokens = 1.5;
        return response.end(image.manifest);
      }
      return response.writeHead(401, { "www-authenticate": `Bearer realm="http://${host()}/token"` }).end();
    });
    await client.manifest(ref, signal);
    expect((await client.manifest(ref, signal)).digest).toBe(image.digest);
    expect(tokens).toBe(2.5);
  });

  it("is asked again when it limits requests and names a short time, and not often", async () => {
    const limiting = async (times: number) => {
      let left = times;
      const { client, ref, asked, signal } = await registry((_request, response) =>
        left-- > 0
          ? response.writeHead(429, { "retry-after": "0" }).end()
          : response.writeHead(200).end(image.manifest),
      );
      return [await code(client.manifest(ref, signal)), asked.length];
    };
    expect(await limiting(2)).toEqual(["done", 3]);
    expect(await limiting(9)).toEqual(["registry_rate_limited", 4]);
  });

  it("tells what it does not have from what cannot be known", async () => {
    const ask = async (handle: Handler, login?: Credentials) => {
      const { client, ref, signal } = await registry(handle, login);
      return code(client.manifest(ref, signal));
    };
    const basic = status(401, { "www-authenticate": 'Basic realm="r"' });
    expect(await ask(status(404))).toBe("image_missing");
    expect(await ask(basic)).toBe("registry_denied");
    expect(await ask(basic, { username: "bot", password: "wrong" })).toBe("registry_denied");
    expect(await ask(status(429, { "retry-after": "30" }))).toBe("registry_rate_limited");
    expect(await ask(status(503))).toBe("registry_unreachable");
    expect(await ask((_request, response) => response.destroy())).toBe("registry_unreachable");
    const gone = await registry(status(200));
    await gone.close();
    expect(await code(gone.client.manifest(gone.ref, gone.signal))).toBe("registry_unreachable");
  });

  it("a token server that gives no token is another error than a denial", async () => {
    const ask = async (answer: Handler) => {
      const { client, ref, signal } = await registry((request, response, host) =>
        request.url?.startsWith("/token")
          ? answer(request, response, host)
          : response.writeHead(401, { "www-authenticate": `Bearer realm="http://${host()}/token"` }).end(),
      );
      return code(client.manifest(ref, signal));
    };
    const saying =
      (text: string): Handler =>
      (_request, response) =>
        void response.end(text);
    for (const odd of ["", "<html>", "[]", "null", "{}", '{"token":7}', '{"token":"a\\r\\nb"}'])
      expect([odd, await ask(saying(odd))]).toEqual([odd, "registry_unreachable"]);
    for (const [answered, is] of [
      [404, "registry_unreachable"],
      [500, "registry_unreachable"],
      [403, "registry_denied"],
      [429, "registry_rate_limited"],
    ] as const)
      expect([answered, await ask(status(answered))]).toEqual([answered, is]);
  });

  it("does not send a password without encryption where the registry has it", async () => {
    const sent: string[] = [];
    const client = openRegistry({
      get: async (url, { headers }) => {
        sent.push(`${url.origin} ${headers.authorization ?? "-"}`);
        return answer(401, { "www-authenticate": 'Bearer realm="http://registry.test/token"' });
      },
      credentials: async () => ({ username: "bot", password: "s3cret" }),
    });
    const asked = client.manifest(parseReference("registry.test/web:v4"), new AbortController().signal);
    expect(await code(asked)).toBe("registry_unreachable");
    expect(sent).toEqual(["https://registry.test -"]);
  });

  it("an insecure one is reached by plain HTTP where it has no HTTPS, and nothing else is", async () => {
    const reached = async (insecure: boolean) => {
      const sent: string[] = [];
      const client = openRegistry({
        get: async (url) => {
          sent.push(url.href);
          if (url.protocol === "https:") throw new Error("wrong version number");
          return answer(200, {}, image.manifest);
        },
        credentials: async () => undefined,
        hosts: () => ({ insecure }),
      });
      const ref = parseReference("registry.test/web:v4");
      const { signal } = new AbortController();
      const first = await code(client.manifest(ref, signal));
      return [first, await code(client.manifest(ref, signal)), ...sent];
    };
    const manifest = "//registry.test/v2/web/manifests/v4";
    expect(await reached(true)).toEqual([
      ...["done", "done", "https://registry.test/v2/"],
      ...[`http:${manifest}`, `http:${manifest}`],
    ]);
    expect(await reached(false)).toEqual([
      ...["internal", "internal"],
      ...[`https:${manifest}`, `https:${manifest}`],
    ]);
  });

  it("mirrors come first, and the registry itself when they cannot", async () => {
    const sent: string[] = [];
    const client = openRegistry({
      get: async (url) => {
        sent.push(url.host);
        return url.host === "second.test" ? answer(200, {}, image.manifest) : answer(404);
      },
      credentials: async () => undefined,
      hosts: (host) =>
        host === "docker.io" ? { mirrors: ["first.test", "second.test"] } : { mirrors: ["first.test"] },
    });
    const { signal } = new AbortController();
    expect((await client.manifest(parseReference("web:v4"), signal)).digest).toBe(image.digest);
    expect(await code(client.manifest(parseReference("ghcr.io/web:v4"), signal))).toBe("image_missing");
    expect(sent).toEqual(["first.test", "second.test", "first.test", "ghcr.io"]);
  });

  it("never shows a password in an error", async () => {
    const { client, ref, signal } = await registry(status(401, { "www-authenticate": 'Basic realm="r"' }), {
      username: "bot",
      password: "s3cret",
    });
    const error = await client.manifest(ref, signal).catch((caught: unknown) => caught);
    expect(JSON.stringify(errorBody(error))).not.toMatch(/s3cret|Ym90/);
  });

  it("verifies a login, and says when it cannot", async () => {
    const right = Buffer.from("bot:s3cret").toString("base64");
    const basic: Handler = (request, response) =>
      request.headers.authorization === `Basic ${right}`
        ? response.writeHead(200).end("{}")
        : response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end();
    const login = async (handle: Handler, password: string) => {
      const { client, host, signal } = await registry(handle, { username: "bot", password });
      return client.login(host, signal).catch((error: unknown) => errorBody(error).code);
    };
    expect(await login(basic, "s3cret")).toBe(true);
    expect(await login(basic, "wrong")).toBe("registry_denied");
    expect(await login(status(503), "s3cret")).toBe(false);
  });

  it("does not send credentials to the host that it redirects to", async () => {
    const seen: (string | undefined)[] = [];
    const store = await listening((request, response) => {
      seen.push(request.headers.authorization);
      response.end("a layer");
    });
    open.push(store);
    const { client, ref, signal } = await registry(
      (request, response) =>
        request.headers.authorization === undefined
          ? response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end()
          : response.writeHead(307, { location: `http://${store.host}/blob` }).end(),
      { username: "bot", password: "s3cret" },
    );
    const stream = await client.blob(ref, layer, 0, signal);
    expect(String(await stream.toArray().then((parts) => Buffer.concat(parts as Buffer[])))).toBe("a layer");
    expect(seen).toEqual([undefined]);
  });

  it("continues a blob, also where the registry knows no ranges", async () => {
    for (const ranges of [true, false]) {
      const { client, ref, signal } = await registry((request, response) =>
        ranges && request.headers.range === "bytes=2-"
          ? response.writeHead(206).end("layer")
          : response.writeHead(200).end("a layer"),
      );
      const parts = (await (await client.blob(ref, layer, 2, signal)).toArray()) as Buffer[];
      expect(String(Buffer.concat(parts))).toBe("layer");
    }
  });

  it("a manifest that is not the digest asked for is refused", async () => {
    const { client, ref, signal } = await registry((_request, response) => response.end("{}"));
    const { tag: _tag, ...rest } = ref;
    expect(await code(client.manifest({ ...rest, digest: image.digest }, signal))).toBe("image_blob_corrupt");
  });
});

it("reads challenges", () => {
  expect(parseChallenge('Basic realm="x"')).toEqual({ scheme: "basic" });
  expect(parseChallenge('Bearer realm="https://auth/token",service="reg",scope="repository:a:pull"')).toEqual(
    {
      ...{ scheme: "bearer", realm: "https://auth/token", service: "reg", scope: "repository:a:pull" },
    },
  );
  for (const odd of [undefined, "", "Negotiate x", 'Bearer service="x"', 'Bearer realm="file:///etc/passwd"'])
    expect(parseChallenge(odd)).toBeUndefined();
});
