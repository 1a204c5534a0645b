import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { run } from "@ployz/exec";
import { type Channel, FRAME, openChannel, type StreamAsk } from "@ployz/primitives/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ctl } from "./run.ts";

/** A daemon that answers each stream with `script`. */
let script: (ask: StreamAsk, channel: Channel, input: Promise<string>) => Promise<void>;
let dir: string;
let server: Server;
const asked: StreamAsk[] = [];
const names = {
  ...{ kind: "names", machines: ["m1"] },
  namespaces: [{ namespace: "prod", services: ["web"], volumes: [] }],
};
const commit = {
  ...{ kind: "commit", namespace: "prod", revision: 1 },
  commit: { services: { web: { spec: { ports: { http: 8080 } } } } },
};
const exec = (args: readonly string[], stdin = "") =>
  ctl([...args], { env: { PLOYZ_SOCKET: join(dir, "d.sock") }, stdin, cwd: dir });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployzctl-exec-"));
  asked.length = 0;
  server = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(request.url === "/v1/names" ? names : commit));
  });
  server.on("upgrade", (_request, socket: Duplex) => {
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ployz-stream/1\r\n\r\n",
    );
    void serve(openChannel(socket)).catch(() => {});
  });
  server.listen(join(dir, "d.sock"));
  await once(server, "listening");
});
afterEach(async () => {
  server.close();
  await rm(dir, { recursive: true, force: true });
});

async function serve(channel: Channel): Promise<void> {
  const first = await channel.frames.next();
  const ask = JSON.parse(first.value.payload.toString("utf8")) as StreamAsk;
  asked.push(ask);
  const opened = { machine: "m2", instance: "prod.web.2.x", slot: 2, of: 3 };
  await channel.send(FRAME.opened, JSON.stringify(opened));
  const read = async () => {
    let text = "";
    for (;;) {
      const next = await channel.frames.next();
      if (next.done === true || next.value.kind === FRAME.inputEnd) return text;
      if (next.value.kind === FRAME.input) text += next.value.payload.toString("latin1");
    }
  };
  const input = read();
  input.catch(() => {});
  await script(ask, channel, input);
  channel.end();
}

it("exec passes arguments, input, both outputs and the exit code, and says which instance it was", async () => {
  script = async (_ask, channel, input) => {
    await channel.send(FRAME.output, `got ${await input}`);
    await channel.send(FRAME.errors, "oops\n");
    await channel.send(FRAME.exit, "42");
  };
  expect(await exec(["exec", "-i", "prod/web", "--", "cat", "-n", "--json"], "bytes")).toEqual({
    ...{ code: 42, out: "got bytes" },
    err: "using prod/web.2 on m2\noops\n",
  });
  expect(asked).toEqual([
    { kind: "exec", namespace: "prod", service: "web", argv: ["cat", "-n", "--json"], by: "me@here" },
  ]);
  const numbered = await exec(["exec", "prod/web.2", "--no-record", "--", "id"], "not read");
  expect([numbered.out, numbered.err]).toEqual(["got ", "oops\n"]);
  expect(asked[1]).toMatchObject({ slot: 2, private: true });
});

it("a daemon that dies in the middle is exit code 4, and a refusal keeps its own", async () => {
  script = async (_ask, channel) => channel.destroy();
  expect(await exec(["exec", "prod/web", "--", "x"])).toMatchObject({
    code: 4,
    err: expect.stringContaining("lost the connection before the program ended"),
  });
  script = async (_ask, channel) =>
    channel.send(FRAME.error, JSON.stringify({ code: "instance_not_running", message: "it is not running" }));
  expect(await exec(["exec", "prod/web", "--", "x"])).toMatchObject({ code: 3 });
});

it.each([
  [["exec", "prod", "--", "x"], "is not NAMESPACE/NAME"],
  [["exec", "prod/web"], "COMMAND... is missing"],
  [["exec", "prod/web.0", "--", "x"], "numbered from 1"],
  [["cp", "a", "b"], "one of FROM and TO must be INSTANCE:PATH"],
  [["cp", "prod/web:/a", "prod/web:/b"], "one of FROM and TO must be INSTANCE:PATH"],
  [["port-forward", "prod/web", "X"], "is not PORT or LOCAL:PORT"],
  [["port-forward", "prod/web", "0"], "is not PORT or LOCAL:PORT"],
  [["port-forward", "prod/web", "http:80"], "is not PORT or LOCAL:PORT"],
  [["port-forward", "prod/web", "8080:https"], "prod/web has no port https"],
  [["port-forward", "prod/web", "1:99999"], "is not PORT or LOCAL:PORT"],
])("%j is refused", async (args, text) => {
  expect(await exec(args)).toMatchObject({ code: 2, err: expect.stringContaining(text) });
  expect(asked).toEqual([]);
});

it("cp takes a file from an archive, and nothing that leads outside of it", async () => {
  await run("sh", [
    "-c",
    'mkdir "$1/far" && cd "$1/far" && echo content > f && ln -s /etc/passwd l',
    "sh",
    dir,
  ]);
  const archive = async (...names: readonly string[]) =>
    Buffer.from(
      (await run("sh", ["-c", 'cd "$0" && tar -cPf - "$@" | base64 -w0', join(dir, "far"), ...names])).stdout,
      "base64",
    );
  const answering = (tar: Buffer) => async (_ask: StreamAsk, channel: Channel) => {
    await channel.send(FRAME.output, tar);
    await channel.send(FRAME.exit, "0");
  };
  script = answering(await archive("f"));
  expect(await exec(["cp", "prod/web.2:/far/f", "near"])).toMatchObject({ code: 0 });
  expect(await readFile(join(dir, "near"), "utf8")).toBe("content\n");

  await writeFile(join(dir, "outside"), "mine");
  script = answering(await archive("../outside", "f"));
  await writeFile(join(dir, "outside"), "changed since");
  await exec(["cp", "prod/web.2:/far/f", "again"]);
  expect(await readFile(join(dir, "outside"), "utf8")).toBe("changed since");
});

it("run asks for a new instance, and its exit code is the program's", async () => {
  script = async (ask, channel, input) => {
    await input;
    const waits = ask.kind === "run" && ask.detach !== true;
    if (waits) await channel.send(FRAME.output, "done\n");
    await channel.send(FRAME.exit, waits ? "3" : "0");
  };
  const attached = await exec(["run", "prod/web", "--", "bin/import", "all"]);
  expect([attached.code, attached.out]).toEqual([3, "done\n"]);
  expect(attached.err).toContain("running prod.web.2.x on m2");
  const detached = await exec(["run", "prod/web", "--detach", "--json"]);
  expect([detached.code, JSON.parse(detached.out)]).toEqual([
    0,
    { kind: "run-started", instance: "prod.web.2.x", machine: "m2" },
  ]);
  await exec(["run", "-i", "--rm", "--no-record", "prod/web", "--", "cat"], "x");
  expect(asked).toEqual([
    { kind: "run", namespace: "prod", service: "web", by: "me@here", argv: ["bin/import", "all"] },
    { kind: "run", namespace: "prod", service: "web", by: "me@here", detach: true },
    {
      ...{ kind: "run", namespace: "prod", service: "web", by: "me@here", argv: ["cat"] },
      ...{ interactive: true, rm: true, private: true },
    },
  ]);
});

it("a run that outlives its connection is not said to be killed", async () => {
  script = async (_ask, channel) => channel.destroy();
  const left = await exec(["run", "prod/web", "--", "x"]);
  expect(left.err).toContain("still running");
  expect(left.err).toContain("ployzctl run stop prod.web.2.x");
  expect((await exec(["run", "--rm", "prod/web", "--", "x"])).err).toContain("was killed");
});

it.each([
  [["run", "prod/web", "-i"], "COMMAND is missing"],
  [["run", "prod/web", "-d", "-t", "--", "x"], "--detach does not go with"],
  [["run", "prod/web", "--json", "--", "x"], "--json does not go with"],
  [["run", "prod/web.1", "--", "x"], "SERVICE"],
  [["run", "web"], "NAMESPACE/NAME"],
  [["run", "stop", "a b"], "ID"],
])("refused before anything is sent: %j", async (args, message) => {
  const { code, err, out } = await exec(args);
  expect([code, asked.length]).toEqual([2, 0]);
  expect(err + out).toContain(message);
});

describe("port-forward", () => {
  const forward = (...argv: readonly string[]) =>
    ctl(["port-forward", ...argv], {
      env: { PLOYZ_SOCKET: join(dir, "d.sock") },
      onInterrupt: (listener) => queueMicrotask(listener),
    });

  it("takes a port of the manifest by its name", async () => {
    const { code, err } = await forward("prod/web", "0:http");
    expect([code, err]).toEqual([
      0,
      expect.stringMatching(/^forwarding 127\.0\.0\.1:\d+ to prod\/web port 8080;/),
    ]);
  });

  it.each([
    [["prod/wbe", "80"], "nothing is deployed as prod/wbe"],
    [["prod/web", "0:80", "--address", "203.0.113.1"], "--address ADDRESS"],
  ])("listens nowhere for %j", async (argv, text) => {
    expect(await forward(...argv)).toMatchObject({ code: 3, err: expect.stringContaining(text) });
  });
});

describe("cp", () => {
  it("quotes why tar could not read, and says what it copied, in the operation log too", async () => {
    script = async (_ask, channel) => {
      await channel.send(
        FRAME.errors,
        "tar: /nope: not there\ntar: error exit delayed from previous errors\n",
      );
      await channel.send(FRAME.exit, "1");
    };
    const { code, err } = await exec(["cp", "prod/web:/nope", "."]);
    expect([code, err]).toEqual([3, expect.stringContaining("tar: /nope: not there\n")]);
    expect(asked).toMatchObject([{ kind: "exec", as: "cp from /nope" }]);
  });

  it("counts the contents, not the archive", async () => {
    await run("sh", ["-c", 'mkdir "$0/seed" && echo 1 >"$0/seed/a" && echo 234 >"$0/seed/b"', dir]);
    script = async (_ask, channel, input) => {
      await input;
      await channel.send(FRAME.exit, "0");
    };
    expect((await exec(["cp", "seed", "prod/web:/tmp", "--json"])).out).toContain('"bytes":6');
    expect(asked).toMatchObject([{ as: "cp to /tmp" }]);
  });

  it.each(["/", "/app/..", "/app/."])("refuses %s, which names nothing", async (path) => {
    const { code, err } = await exec(["cp", `prod/web:${path}`, "new"]);
    expect([code, err]).toEqual([2, expect.stringContaining(`FROM: "${path}" ends without the name`)]);
    expect(asked).toEqual([]);
  });

  it("says when the archive of the instance is another one", async () => {
    script = async (_ask, channel) => {
      const { stdout } = await run("sh", ["-c", 'cd "$0" && echo 1 >b && tar -cf - b | base64 -w0', dir]);
      await channel.send(FRAME.output, Buffer.from(stdout, "base64"));
      await channel.send(FRAME.exit, "0");
    };
    const { code, err } = await exec(["cp", "prod/web:/x", "x"]);
    expect([code, err]).toEqual([3, expect.stringContaining("the archive of the instance's tar has no x")]);
    expect(await readdir(dir)).not.toContain("x");
  });

  it("leaves no tar and no folder behind when the connection is lost in the middle", async () => {
    script = async (_ask, channel) => {
      await channel.send(FRAME.output, Buffer.alloc(300));
      channel.destroy();
    };
    expect((await exec(["cp", "prod/web:/x", "x"])).code).not.toBe(0);
    expect((await readdir(dir)).filter((name) => name !== "d.sock")).toEqual([]);
  });

  it("names a folder that is missing", async () => {
    const { code, err } = await exec(["cp", "prod/web:/x", "none/x"]);
    expect([code, err]).toEqual([3, expect.stringContaining(`TO: ${join(dir, "none")}: no such folder`)]);
  });
});
