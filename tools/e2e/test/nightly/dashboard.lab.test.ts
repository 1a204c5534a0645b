import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningProgram, run, spawnStream, waitFor } from "@ployz/exec";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, installedNode, openCluster, root, webBundle, webManifest } from "../../src/cluster.ts";

/** Debian's Chromium against `ployzctl dashboard` of m1, with three machines. */
let cluster: Cluster;
let browser: Browser;
let dashboard: { readonly address: string; readonly child: RunningProgram };
let folder: string;

const HOSTILE = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
const LIVE_MS = 60_000;

/** Runs ployzctl of m1 on this host: the browser's loopback is this one. */
async function serve(...flags: readonly string[]): Promise<typeof dashboard> {
  const machine = (await cluster.lab.info()).machines[0];
  if (machine?.init == null) throw new Error("m1 is off");
  const node = await installedNode(machine.init);
  const socket = `/proc/${machine.init}/root/run/ployz/ployzd.sock`;
  const program = join(node, "../ployzctl.mjs");
  // Node would resolve the machine's root to the path of this host.
  const where = ["--preserve-symlinks", "--preserve-symlinks-main", program, "--socket", socket];
  const child = spawnStream(node, [...where, "dashboard", "--port", "0", "--no-open", ...flags], {
    okExitCodes: [0, 143],
  });
  let said = "";
  const address = await new Promise<string>((resolve, reject) => {
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      const [found] = /http:\S+/.exec(said) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.done.then(() => reject(new Error(said)), reject);
  });
  return { address, child };
}

const go = (page: Page, hash: string) => page.evaluate(`location.hash = ${JSON.stringify(hash)}`);

/** A page of the dashboard, whose errors fail the test. */
async function open(
  hash: string,
  size = { width: 1440, height: 900 },
): Promise<{ page: Page; errors: string[] }> {
  const context = await browser.newContext({ viewport: size });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(dashboard.address);
  await page.getByRole("status").getByText("live", { exact: true }).waitFor({ timeout: LIVE_MS });
  await go(page, hash);
  return { page, errors };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dashboard-"));
  cluster = await openCluster({ machines: 3 });
  await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, webManifest(), webBundle)]);
  dashboard = await serve();
  browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--headless", "--disable-background-networking"],
  });
});
afterAll(async () => {
  await browser?.close();
  dashboard?.child.kill();
  await cluster?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

it("shows the machines and instances that the CLI lists, and leaves the token out of its address", async () => {
  const { page, errors } = await open("#/cluster");
  const { machines } = await cluster.json<{ machines: { record: { id: string } }[] }>(1, ["machine", "ls"]);
  for (const { record } of machines) await page.getByRole("heading", { name: record.id }).waitFor();
  expect(await page.locator("article.machine").count()).toBe(machines.length);
  expect(page.url()).not.toContain("token");
  await go(page, "#/namespaces/prod");
  const { instances } = await cluster.json<{ instances: { machine: string; state: string }[] }>(1, [
    "ps",
    "prod",
  ]);
  await page.getByText("3 of 3 run").waitFor();
  const shown = await page.locator("table tbody tr").allInnerTexts();
  for (const { machine, state } of instances)
    expect(shown.filter((row) => row.includes(machine) && row.includes(state))).toHaveLength(1);
  expect(errors).toEqual([]);
});

it("an operation appears while it runs, and its end and its commit without a reload", async () => {
  const { page, errors } = await open("#/operations");
  await page.getByText("Operations").first().waitFor();
  const deployed = cluster.ctl(1, [
    "deploy",
    "-f",
    await cluster.put(1, webManifest({ version: "v2" }), webBundle),
  ]);
  await page.locator("a.operation", { hasText: "running" }).first().waitFor({ timeout: LIVE_MS });
  await deployed;
  const { operations } = await cluster.json<{ operations: { operation: string; state: string }[] }>(1, [
    "ops",
    "ls",
  ]);
  const last = page.locator(`a.operation[href="#/operations/${operations[0]?.operation}"]`);
  await last.getByText("done").waitFor({ timeout: LIVE_MS });
  await last.click();
  await page.locator(".lane").first().waitFor();
  expect(await page.locator(".step").count()).toBeGreaterThan(3);
  await page.keyboard.press("4");
  await page.getByText("services.web.revision").first().waitFor();
  expect(errors).toEqual([]);
});

it("log lines of a hostile workload are text", async () => {
  const { page, errors } = await open("#/logs/prod/web");
  // The fixture writes it when it starts.
  await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, webManifest({ version: HOSTILE }), webBundle)]);
  await page.getByText("document.title='owned'").first().waitFor({ timeout: LIVE_MS });
  expect(await page.title()).toBe("Ployz");
  expect(await page.locator("main img, main script").count()).toBe(0);
  expect(errors).toEqual([]);
});

it("a machine without power is plain to see, and so is its return", async () => {
  const { page } = await open("#/cluster");
  await cluster.lab.cut(3);
  await page.locator("article.machine.away", { hasText: "m3" }).waitFor({ timeout: LIVE_MS });
  await page.keyboard.press("7");
  await page.getByText(/m3 does not answer/).waitFor({ timeout: LIVE_MS });
  await page.keyboard.press("1");
  await cluster.lab.on(3);
  await waitFor(
    "no machine away",
    async () => ((await page.locator(".away").count()) === 0 ? true : undefined),
    {
      timeoutMs: 120_000,
    },
  );
});

it("the page of another site in the same browser reads nothing, and changes nothing", async () => {
  const { page } = await open("#/cluster");
  const evil = createServer((_, response) =>
    response.writeHead(200, { "content-type": "text/html" }).end("evil"),
  );
  await new Promise<void>((resolve) => evil.listen(0, "127.0.0.1", resolve));
  const other = await page.context().newPage();
  await other.goto(`http://127.0.0.1:${(evil.address() as AddressInfo).port}/`);
  const { origin } = new URL(dashboard.address);
  const tried = await other.evaluate(async (target) => {
    const ask = (path: string, init: RequestInit) =>
      fetch(`${target}${path}`, { credentials: "include", ...init }).then(
        (answer) => `read ${answer.type} ${answer.status}`,
        () => "blocked",
      );
    return [
      await ask("/api/v1/status", {}),
      await ask("/change/abort", {
        method: "POST",
        body: "{}",
        headers: { "content-type": "application/json" },
      }),
      await ask("/change/abort", { method: "POST", body: "{}", mode: "no-cors" }),
    ];
  }, origin);
  expect(tried).toEqual(["blocked", "blocked", "blocked"]);
  evil.close();
});

it("on a phone each page fits its width, and a list of 390 px stays usable in the dark", async () => {
  const { page, errors } = await open("#/cluster", { width: 390, height: 844 });
  await page.emulateMedia({ colorScheme: "dark" });
  for (const id of ["cluster", "namespaces", "operations", "history", "data", "logs", "warnings"]) {
    await go(page, `#/${id}`);
    await page.locator(`nav a[aria-current][href="#/${id}"]`).waitFor();
    const over = await page.evaluate(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    expect([id, Number(over) > 0]).toEqual([id, false]);
    await page.screenshot({ path: join(process.env.PLOYZ_SCREENSHOTS ?? folder, `${id}-390.png`) });
  }
  expect(errors).toEqual([]);
});

it("the release is built with the page", async () => {
  const { stdout } = await run("tar", [
    "-tzf",
    (await run(join(root, "tools/release/build-payload"), [])).stdout.trim(),
  ]);
  expect(stdout).toContain("ployz/lib/dashboard/page.js");
});
