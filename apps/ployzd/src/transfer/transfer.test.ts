import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { get, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { errorBody } from "@ployz/errors";
import { run } from "@ployz/exec";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openBundles } from "./bundles.ts";
import { fetchOffer, serveTransfers } from "./server.ts";

let dir: string;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployzd-transfer-"));
});
afterEach(async () => {
  vi.useRealTimers();
  for (const close of closing.splice(0)) await close();
  await rm(dir, { recursive: true, force: true });
});

const code = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => errorBody(error).code,
  );
const never = new AbortController().signal;
const peers = (_: unknown, response: ServerResponse) => void response.writeHead(405).end();

describe("the transfer port", () => {
  let next = 42_000 + (process.pid % 5_000);
  async function serve(open: () => Promise<Readable>, addressOf = (): string | undefined => "127.0.0.1") {
    const port = next++;
    const errors: unknown[] = [];
    const log = (error: unknown) => errors.push(error);
    const server = await serveTransfers({ address: "127.0.0.1", port, addressOf, log, peers });
    closing.push(server.close);
    const offer = () => server.offer("m2", open);
    return { port, offer, errors, take: (token: string) => fetchOffer("127.0.0.1", port, token, never) };
  }

  it("serves an offered object, once", async () => {
    const { take, offer } = await serve(async () => Readable.from(["content"]));
    const token = offer();
    expect(await text(await take(token))).toBe("content");
    expect(await code(take(token))).toBe("transfer_refused");
    expect(await code(take("0".repeat(64)))).toBe("transfer_refused");
    expect(await code(take("x"))).toBe("transfer_refused");
  });

  it("gives all of it, in order, to who takes it slowly", async () => {
    const content = randomBytes(8 * 1024 * 1024);
    const pieces = Array.from({ length: 4096 }, (_, at) => content.subarray(at * 2048, (at + 1) * 2048));
    const { take, offer } = await serve(async () => Readable.from(pieces));
    const taken: Buffer[] = [];
    for await (const chunk of await take(offer())) {
      taken.push(chunk);
      if (taken.length % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(Buffer.concat(taken).equals(content)).toBe(true);
  });

  it("refuses other addresses, and such an attempt does not use it up", async () => {
    let address: string | undefined = "127.0.0.2";
    const { take, offer } = await serve(
      async () => Readable.from(["content"]),
      () => address,
    );
    const token = offer();
    expect(await code(take(token))).toBe("transfer_refused");
    address = undefined;
    expect(await code(take(token))).toBe("transfer_refused");
    address = "127.0.0.1";
    expect(await text(await take(token))).toBe("content");
  });

  it("gives nothing after a minute", async () => {
    const { take, offer } = await serve(async () => Readable.from(["content"]));
    const token = offer();
    const later = Date.now() + 61_000;
    vi.spyOn(Date, "now").mockReturnValue(later);
    expect(await code(take(token))).toBe("transfer_refused");
    vi.restoreAllMocks();
  });

  it("a request that is no GET redeems nothing", async () => {
    const { port, offer, take } = await serve(async () => Readable.from(["content"]));
    const token = offer();
    const headers = { authorization: `Bearer ${token}` };
    const status = await new Promise((resolve) => {
      get({ host: "127.0.0.1", port, method: "DELETE", headers, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
    });
    expect(status).toBe(405);
    expect(await text(await take(token))).toBe("content");
  });

  it("a sender that breaks off is noticed by the receiver, and logged by the sender", async () => {
    const { take, offer, errors } = await serve(async () =>
      Readable.from(
        (async function* () {
          yield "half";
          throw new Error("disk");
        })(),
      ),
    );
    await expect(take(offer()).then(text)).rejects.toThrow();
    expect(errors.length).toBe(1);
    const { take: takeMissing, offer: offerMissing } = await serve(async () => {
      throw new Error("not here");
    });
    expect(await code(takeMissing(offerMissing()))).toBe("transfer_failed");
  });

  it("says that its port is taken", async () => {
    const { port } = await serve(async () => Readable.from([]));
    const again = { address: "127.0.0.1", port, log: () => {}, peers };
    expect(await code(serveTransfers({ ...again, addressOf: () => undefined }))).toBe("port_taken");
  });
});

describe("bundles", () => {
  interface Entry {
    readonly name: string;
    readonly content?: string;
    readonly mode?: number;
    readonly owner?: number;
    /** 1 hard link, 2 symbolic link, 3 character device. */
    readonly type?: 0 | 1 | 2 | 3;
    readonly linkname?: string;
  }
  const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, "0")}\0`;
  /** ustar, as POSIX.1-1988 lays it out: a real tar would not write most of these. */
  function member({ name, content = "", mode = 0o644, owner = 0, type = 0, linkname = "" }: Entry): Buffer {
    const header = Buffer.alloc(512);
    header.write(name, 0, 100);
    header.write(octal(mode, 8) + octal(owner, 8) + octal(owner, 8) + octal(content.length, 12), 100);
    header.write(`${octal(0, 12)}        ${type}`, 136);
    header.write(linkname, 157, 100);
    header.write("ustar\u000000", 257);
    header.write(octal(1, 8) + octal(1, 8), 329);
    header.write(
      octal(
        header.reduce((sum, byte) => sum + byte, 0),
        7,
      ),
      148,
    );
    const body = Buffer.alloc(Math.ceil(content.length / 512) * 512);
    body.write(content);
    return Buffer.concat([header, body]);
  }
  async function tarOf(...entries: readonly Entry[]) {
    const bytes = Buffer.concat([...entries.map(member), Buffer.alloc(1024)]);
    return { bytes, digest: createHash("sha256").update(bytes).digest("hex") };
  }
  const put = (
    bundles: ReturnType<typeof openBundles>,
    { bytes, digest }: { bytes: Buffer; digest: string },
  ) => bundles.put(digest, Readable.from([bytes]));
  const left = async () => (await readdir(join(dir, "b"))).sort();

  it("are kept as they came and unpacked, whoever brings them and how often", async () => {
    const bundles = openBundles(join(dir, "b"));
    const one = await tarOf({ name: "bin/run", content: "#!/bin/sh", mode: 0o755 });
    expect(await bundles.has(one.digest)).toBe(false);
    await Promise.all([put(bundles, one), put(bundles, one), put(bundles, one)]);
    expect(await bundles.has(`sha256:${one.digest}`)).toBe(true);
    expect(await readFile(join(bundles.path(one.digest), "bin/run"), "utf8")).toBe("#!/bin/sh");
    expect((await buffer(bundles.read(one.digest))).equals(one.bytes)).toBe(true);
    expect(await left()).toEqual([one.digest, `${one.digest}.tar`]);
    expect(await bundles.list()).toEqual([one.digest]);
  });

  it("with a wrong digest, or that are no tar, leave nothing", async () => {
    const bundles = openBundles(join(dir, "b"));
    const one = await tarOf({ name: "a", content: "a" });
    const broken = Buffer.concat([Buffer.from("no tar"), one.bytes.subarray(6, 700)]);
    const digest = createHash("sha256").update(broken).digest("hex");
    expect(await code(put(bundles, { bytes: one.bytes, digest: "0".repeat(64) }))).toBe("digest_mismatch");
    expect(await code(put(bundles, { bytes: broken, digest }))).toBe("bundle_invalid");
    expect(await left()).toEqual([]);
  });

  it("cut off on their way leave nothing", async () => {
    const bundles = openBundles(join(dir, "b"));
    const source = Readable.from(
      (async function* () {
        yield Buffer.from("half");
        throw new Error("gone");
      })(),
    );
    await expect(bundles.put("0".repeat(64), source)).rejects.toThrow("gone");
    expect(await left()).toEqual([]);
  });

  it.each([
    "../../etc/passwd",
    "x",
    "",
    `${"0".repeat(63)}/`,
    "0".repeat(65),
    `${"0".repeat(64)}\n`,
    "A".repeat(64),
  ])("the digest %j reaches no path", async (digest) => {
    const bundles = openBundles(join(dir, "b"));
    expect(() => bundles.path(digest)).toThrow("64 hexadecimal");
    expect(await code(bundles.put(digest, Readable.from(["x"])))).toBe("invalid_input");
    await expect((async () => bundles.has(digest))()).rejects.toThrow();
  });

  it("write nothing outside of their folder: names that climb, links that lead out", async () => {
    const outside = join(dir, "outside");
    await mkdir(outside);
    await writeFile(join(outside, "secret"), "old");
    const bundles = openBundles(join(dir, "b"));
    const attacks: readonly (readonly Entry[])[] = [
      [{ name: "../../outside/new", content: "x" }],
      [{ name: join(outside, "new"), content: "x" }],
      [
        { name: "out", type: 2, linkname: "../../outside" },
        { name: "out/new", content: "x" },
      ],
      [
        { name: "out", type: 2, linkname: outside },
        { name: "out/new", content: "x" },
      ],
      [
        { name: "f", type: 2, linkname: join(outside, "secret") },
        { name: "f", content: "new" },
      ],
      [
        { name: "h", type: 1, linkname: "../../outside/secret" },
        { name: "h", content: "new" },
      ],
    ];
    for (const entries of attacks) await code(put(bundles, await tarOf(...entries)));
    expect(await readdir(outside)).toEqual(["secret"]);
    expect(await readFile(join(outside, "secret"), "utf8")).toBe("old");
  });

  it("a link that lies where a bundle would be unpacked is not followed", async () => {
    const outside = join(dir, "outside");
    await mkdir(outside);
    const one = await tarOf({ name: "a", content: "a" });
    await mkdir(join(dir, "b"));
    await symlink(join(dir, "nowhere"), join(dir, "b", one.digest));
    await code(put(openBundles(join(dir, "b")), one));
    expect(await readdir(outside)).toEqual([]);
  });

  it("are readable by everybody, whatever the sender's umask was and this daemon's is", async () => {
    const bundles = openBundles(join(dir, "b"));
    const umask = process.umask(0o077);
    try {
      const one = await tarOf(
        { name: "run", content: "x", mode: 0o700 },
        { name: "text", content: "x", mode: 0o600 },
      );
      await put(bundles, one);
      const mode = async (name: string) => (await stat(join(bundles.path(one.digest), name))).mode & 0o777;
      expect(await Promise.all([mode("run"), mode("text"), mode(".")])).toEqual([0o755, 0o644, 0o755]);
    } finally {
      process.umask(umask);
    }
  });

  it("in too many folders are refused, and the remains of one stop no start", async () => {
    const bundles = openBundles(join(dir, "b"));
    const deep = await tarOf({ name: `${"d/".repeat(200)}f`, content: "x" });
    expect(await code(put(bundles, deep))).toBe("bundle_invalid");
    expect(await left()).toEqual([]);
    const unfinished = join(dir, "b", `${"0".repeat(64)}.${"0".repeat(12)}`);
    await mkdir(unfinished);
    const nest =
      'cd "$1"; d=$(printf "d/%.0s" $(seq 500)); for i in 1 2 3 4; do mkdir -p $d && cd -P $d; done';
    await run("sh", ["-c", nest, "sh", unfinished]);
    await bundles.tidy();
    expect(await left()).toEqual([]);
  });

  it("bring no owner, no set-uid bit and no device", async () => {
    const bundles = openBundles(join(dir, "b"));
    const one = await tarOf({ name: "su", content: "x", mode: 0o6755, owner: 1234 });
    await put(bundles, one);
    const found = await stat(join(bundles.path(one.digest), "su"));
    expect(found.mode & 0o7777).toBe(0o755);
    expect(found.uid).toBe(process.getuid?.());
    const device = await tarOf({ name: "mem", type: 3 });
    expect(await code(put(bundles, device))).toBe("bundle_invalid");
    expect(await bundles.has(device.digest)).toBe(false);
  });
});
