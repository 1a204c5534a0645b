import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, node, openCluster } from "../../src/cluster.ts";

/** Folders that are deployed while programs write to them, and files with names and rights of all kinds. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster({ machines: 1 });
  await cluster.lab.sh(1, ["useradd", "-m", "-G", "ployz", "dev"], { okExitCodes: [0, 6, 9] });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const on = async (script: string, ...args: readonly string[]) =>
  (await cluster.lab.sh(1, ["sh", "-c", script, "sh", ...args])).stdout;

const manifest = `namespace = "prod"

[services.web]
bundle  = "./web"
command = ["${node}", "-e", "setInterval(() => {}, 60000)"]
`;

/** A folder for `ployzctl deploy`, with what `script` puts into its bundle. */
async function folder(name: string, script: string): Promise<string> {
  const dir = `/srv/${name}`;
  await on('mkdir -p "$1/web" && printf %s "$2" > "$1/ployz.toml"', dir, manifest);
  await on(`cd "$1" && ${script}`, `${dir}/web`);
  return dir;
}
const deploy = (dir: string) =>
  cluster.ctl(1, ["deploy", "-f", `${dir}/ployz.toml`, "--json"], { ok: [0, 2], timeoutMs: 240_000 });
const inside = async (script: string) =>
  (await cluster.ctl(1, ["exec", "prod/web", "--", "sh", "-c", script])).stdout;

it.each([
  ["grows", "while :; do head -c 100000 /dev/zero >> log; sleep 0.02; done"],
  ["shrinks", "while :; do head -c 30000000 /dev/zero > log; truncate -s 10 log; sleep 0.1; done"],
  ["vanishes and comes back", "while :; do rm -f log; head -c 100000 /dev/zero > log; sleep 0.01; done"],
  ["is replaced", "while :; do head -c 100000 /dev/zero > new; mv new log; sleep 0.01; done"],
])(
  "a file that %s while it is packed: deployed as it was at one time, or refused by its name",
  async (_, loop) => {
    const dir = await folder("busy", "rm -f log new; head -c 20000000 /dev/zero > log; echo kept > kept");
    const pid = (await on(`cd "$1"; { ${loop} ; } >/dev/null 2>&1 & echo $!`, `${dir}/web`)).trim();
    const codes: number[] = [];
    try {
      for (let n = 0; n < 4; n++) {
        const { exitCode, stdout, stderr } = await deploy(dir);
        codes.push(exitCode);
        expect(stdout + stderr).not.toMatch(/"internal"|^ +at .*:\d+:\d+/m);
        const document = JSON.parse(stdout);
        if (exitCode === 2) expect(JSON.stringify(document)).toMatch(/log|new/);
        else expect(document).toMatchObject({ kind: "operation", state: "done" });
      }
    } finally {
      await on('kill -9 "$1"', pid);
    }
    console.log(`exit codes: ${codes.join(" ")}`);
    expect((await deploy(dir)).exitCode).toBe(0);
    expect(await inside("cat kept; wc -c < log")).toBe(`kept\n${await on('wc -c < "$1"', `${dir}/web/log`)}`);
  },
);

it("names and targets of links that are not UTF-8 arrive byte for byte", async () => {
  const dir = await folder(
    "odd",
    String.raw`n=$(printf 'caf\351') && echo odd > "$n" && ln -s "$n" "$(printf 'l\303\274')" && ln -s "$n" "$(printf '\374')"`,
  );
  expect((await deploy(dir)).exitCode).toBe(0);
  const list = "find . -mindepth 1 -printf '%p %l\\n' | LC_ALL=C sort | od -An -tx1";
  expect(await inside(list)).toBe(await on(`cd "$1" && ${list}`, `${dir}/web`));
  expect(await inside(String.raw`cat "$(printf '\374')"`)).toBe("odd\n");
});

it("a file that the operator cannot read is refused by its name, and nothing changes", async () => {
  const dir = await folder("closed", "echo x > closed && chmod 000 closed");
  const before = await cluster.json<{ commits: unknown[] }>(1, ["history", "prod"]);
  const { stdout, exitCode } = await cluster.lab.sh(
    1,
    ["su", "dev", "-c", `ployzctl deploy --yes -f ${dir}/ployz.toml --json`],
    { okExitCodes: Array.from({ length: 256 }, (_, code) => code) },
  );
  expect({ exitCode, said: stdout }).toMatchObject({ exitCode: 2, said: expect.stringContaining("closed") });
  expect((await cluster.json<{ commits: unknown[] }>(1, ["history", "prod"])).commits).toEqual(
    before.commits,
  );
});

it("the same tree under another umask restarts nothing; what an ignore file names stays at home", async () => {
  const tree =
    "mkdir -p lib .git && echo x > lib/x && echo secret > .env && echo c > .git/config && echo .env > .ployzignore";
  const dir = await folder("tree", `umask 077 && ${tree}`);
  expect(JSON.parse((await deploy(dir)).stdout)).toMatchObject({ changed: true });
  expect((await inside("ls -A . lib; cat lib/x")).split("\n").sort()).not.toContain(".env");
  expect(await inside("ls -A")).not.toMatch(/\.git$|\.env/m);
  await on('chmod -R a+rX "$1"; find "$1" -exec touch {} +', `${dir}/web`);
  const again = JSON.parse((await deploy(dir)).stdout);
  expect(again).toMatchObject({ changed: false });
  expect(again).not.toHaveProperty("operation");
});
