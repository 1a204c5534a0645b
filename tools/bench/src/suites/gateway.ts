import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PloyzError } from "@ployz/errors";
import { findProgram, openServiceHost, run, stopS6, waitFor } from "@ployz/exec";
import { openGateway } from "@ployz/gateway";
import { cpuSeconds } from "../cpu-time.ts";
import { freePorts } from "../free-ports.ts";
import { compare, type Variant } from "../measure.ts";
import type { Suite } from "../suite.ts";
import { caddyfile, haproxyBackend, haproxyBare, nginxConfig } from "./gateway-configs.ts";
import { parseWrk } from "./wrk.ts";

const HOST = "www.example.test";
const SECONDS = 3;

/** One route to one backend on loopback, through each proxy, configured as in its manual. */
export const gatewaySuite: Suite = async ({ rounds, progress }) => {
  const wrk = await findProgram("wrk");
  if (wrk === undefined)
    throw new PloyzError({
      code: "wrk_missing",
      message: "wrk is not installed",
      hint: "tools/bench/packages.txt",
    });
  const dir = await mkdtemp(join(tmpdir(), "ployz-bench-gateway-"));
  const services = await openServiceHost({
    kind: "s6",
    dir: join(dir, "services"),
    logDir: join(dir, "log"),
  });
  const [backend = 0, ployz = 0, bare = 0, nginx = 0, caddy = 0] = await freePorts(5);
  const missing: string[] = [];

  const proxy = async (name: string, port: number, argv: readonly [string, ...string[]]) => {
    const program = await findProgram(argv[0]);
    if (program === undefined) {
      missing.push(`${name}: not installed`);
      return [];
    }
    await services.ensure({
      name: `bench-${name}`,
      description: `bench: ${name}`,
      argv: [program, ...argv.slice(1)],
      env: { HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir },
      restart: "never",
    });
    await answers(port);
    return [variant(name, port)];
  };
  const variant = (name: string, port: number, service = `bench-${name}`): Variant => ({
    name,
    sample: async () => {
      const { pid } = await services.status(service);
      if (pid === undefined) throw new Error(`${name} does not run`);
      const before = await cpuSeconds(pid);
      const { stdout } = await run(
        wrk,
        ["-t1", "-c32", `-d${SECONDS}s`, "--latency", "-H", `Host: ${HOST}`, `http://127.0.0.1:${port}/`],
        { timeoutMs: 30_000 },
      );
      const { requests, p99 } = parseWrk(stdout);
      return {
        requests,
        p99,
        "CPU of the proxy per request": (((await cpuSeconds(pid)) - before) / (requests * SECONDS)) * 1e6,
      };
    },
  });

  try {
    const files: Readonly<Record<string, string>> = {
      "backend.cfg": haproxyBackend(backend),
      "bare.cfg": haproxyBare(bare, backend),
      "nginx.conf": nginxConfig(nginx, backend, dir),
      Caddyfile: caddyfile(caddy, backend),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
    await mkdir(join(dir, "gateway"));

    const direct = await proxy("direct", backend, ["haproxy", "-f", join(dir, "backend.cfg")]);
    const others = [
      ...(await proxy("bare-haproxy", bare, ["haproxy", "-f", join(dir, "bare.cfg")])),
      ...(await proxy("nginx", nginx, ["nginx", "-c", join(dir, "nginx.conf"), "-p", dir])),
      ...(await proxy("caddy", caddy, [
        "caddy",
        "run",
        "--adapter",
        "caddyfile",
        "--config",
        join(dir, "Caddyfile"),
      ])),
    ];
    const gateway = await openGateway({ dir: join(dir, "gateway"), listen: `127.0.0.1:${ployz}`, services });
    try {
      const servers = [{ id: "a", address: "127.0.0.1", port: backend }];
      await gateway.apply({
        version: "bench",
        routes: [
          {
            kind: "http",
            id: "bench/web/1",
            host: HOST,
            path: "/",
            backend: { id: "bench/web/http", servers },
          },
        ],
      });
      await answers(ployz);
      const comparison = await compare({
        title: "Gateway: one route, 32 connections kept alive",
        variants: [...direct, ...others, variant("Ployz gateway", ployz, "ployz-haproxy")],
        metrics: [
          { name: "requests", unit: "1/s", better: "higher" },
          { name: "CPU of the proxy per request", unit: "µs", better: "lower" },
          { name: "p99", unit: "ms", better: "lower" },
        ],
        baseline: "bare-haproxy",
        rounds,
        missing,
        notes: [
          "wrk with one thread, the proxy and the backend (HAProxy that answers itself: `direct`) share the cores; p99 is at full load.",
        ],
        progress,
      });
      return [comparison];
    } finally {
      await gateway.stop();
      gateway.close();
    }
  } finally {
    await stopS6(join(dir, "services"));
    await rm(dir, { recursive: true, force: true });
  }
};

const answers = (port: number) =>
  waitFor(
    `port ${port}`,
    async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { host: HOST } }).catch(
        () => undefined,
      );
      return answer === undefined ? undefined : true;
    },
    { timeoutMs: 15_000 },
  );
