import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { addressOf } from "../src/commands/dev/docker.ts";
import { type FakeDaemon, fakeDaemon } from "./daemon.ts";
import { ctl, type RunOptions } from "./run.ts";

let home: string;
let daemon: FakeDaemon;
/** In place of docker(1): containers are files of $HOME/state, which hold whether they run; members are in $HOME/members. */
const DOCKER = `#!/bin/sh
echo "$*" >>"$HOME/docker.log"
mkdir -p "$HOME/state"
case "$1 $2" in
  "ps "*) for f in "$HOME"/state/ployz-dev-*; do [ -e "$f" ] && echo "\${f##*-} \${f##*/} $(cat "$f")"; done; exit 0;;
  "image ls") [ -e "$HOME/image" ] && echo 0123; exit 0;;
  "network ls") [ -e "$HOME/network" ] && echo ployz-dev; exit 0;;
  "network create") touch "$HOME/network"; exit 0;;
  "network inspect") echo 172.30.0.0/16; exit 0;;
  "network rm") rm "$HOME/network"; exit 0;;
esac
case "$1" in
  run) name=; while [ $# -gt 0 ]; do [ "$1" = --name ] && name=$2; shift; done
    [ "$name" = "ployz-dev-$(cat "$HOME/fails" 2>/dev/null)" ] && { echo "docker: port is already allocated" >&2; exit 125; }
    echo running >"$HOME/state/$name";;
  start) echo running >"$HOME/state/$2";;
  stop) echo exited >"$HOME/state/$2";;
  rm) rm -f "$HOME/state/$4";;
  inspect) [ -e "$HOME/state/$6" ] || { echo "Error: No such container: $6" >&2; exit 1; }
    grep -q running "$HOME/state/$6" && echo true || echo false;;
  exec) shift; [ "$1" = -i ] && shift; name=$1; shift
    case "$*" in
      *dial-stdio*) echo 'ployz-dial/1 {}'; exec "$NODE" -e '
        const s = require("net").connect(process.env.FAKE);
        process.stdin.pipe(s).pipe(process.stdout);';;
      *membership.json*) grep -qx "$name" "$HOME/members" 2>/dev/null && echo yes; exit 0;;
      *"mesh init"*) echo "$name" >>"$HOME/members";;
      *"machine add"*) for word; do case $word in root@*) echo "ployz-dev-\${word#root@}" >>"$HOME/members";; esac; done;;
    esac;;
esac
`;
beforeAll(async () => {
  daemon = await fakeDaemon({ "GET /v1/machines": () => ({ kind: "machines", machines: [] }) });
});
afterAll(() => daemon.close());
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "ployz-dev-"));
  await writeFile(join(home, "docker"), DOCKER);
  await chmod(join(home, "docker"), 0o755);
  await writeFile(join(home, "image"), "");
  return () => rm(home, { recursive: true, force: true });
});

const mac = async (line: string, options: RunOptions = {}) => {
  const { PATH } = process.env;
  Object.assign(process.env, {
    PATH: `${home}:${PATH}`,
    FAKE: daemon.socket,
    NODE: process.execPath,
    HOME: home,
  });
  try {
    return await ctl(line.split(" "), {
      ...options,
      platform: "darwin",
      env: { HOME: home, ...options.env },
    });
  } finally {
    process.env.PATH = PATH;
  }
};
const log = () => readFile(join(home, "docker.log"), "utf8");
const contexts = () => readFile(join(home, ".config/ployz/contexts.toml"), "utf8");

it("makes a cluster of containers, which commands reach through docker, and removes it", async () => {
  const up = await mac("dev --machines 3 --json");
  expect(up).toMatchObject({ code: 0 });
  expect(JSON.parse(up.out)).toMatchObject({
    ...{ kind: "dev-machines", context: "dev", gateway: "http://127.0.0.1:8080" },
    machines: ["m1", "m2", "m3"].map((machine) => ({ machine, running: true })),
  });
  expect(await contexts()).toContain('current = "dev"');
  expect(await mac("machine ls")).toMatchObject({ code: 0 });
  expect(await log()).toMatch(/machine add root@m2 root@m3 /);
  expect(await log()).not.toContain("--privileged");
  expect((await log()).match(/--publish \S+/g)).toEqual(["--publish 127.0.0.1:8080:80"]);

  expect(await mac("dev stop")).toMatchObject({
    code: 0,
    out: expect.stringContaining("m3  ployz-dev-m3  stopped"),
  });
  expect(await mac("machine ls")).toMatchObject({
    code: 4,
    err: expect.stringContaining("ployz-dev-m1 does not run"),
  });
  expect(await mac("dev start")).toMatchObject({
    code: 0,
    out: expect.stringContaining("m3  ployz-dev-m3  running"),
  });

  const down = await mac("dev down --json");
  expect(JSON.parse(down.out).removed).toEqual([
    "machine m1",
    "machine m2",
    "machine m3",
    "their network",
    "context dev",
  ]);
  expect(await contexts()).not.toContain("dev");
  expect(await mac("dev stop")).toMatchObject({ code: 3, err: expect.stringContaining("dev --machines 3") });
});

it("run again it adds machines only, starts those that stand still, and removes none", async () => {
  await mac("dev --machines 1");
  await mac("dev stop");
  expect(await mac("dev --machines 2")).toMatchObject({ code: 0 });
  expect((await log()).match(/^run /gm)).toHaveLength(2);
  expect((await log()).match(/mesh init/g)).toHaveLength(1);
  expect(await mac("dev --machines 1")).toMatchObject({ code: 3, err: expect.stringContaining("dev down") });
});

it("leaves nothing of a machine that could not be made", async () => {
  await writeFile(join(home, "fails"), "m2");
  const failed = await mac("dev --machines 2");
  expect(failed).toMatchObject({ code: 1, err: expect.stringContaining("port is already allocated") });
  expect(await log()).toContain("network rm ployz-dev");
  expect(await log()).toContain("rm --force --volumes ployz-dev-m1");
});

it.each([
  ["dev --machines 0", 2, "--machines"],
  ["dev --machines 17", 2, "--machines"],
  ["dev --machines 2 --gateway-listen localhost:80", 2, "--gateway-listen"],
  ["dev --image x.tar", 2, "--image"],
  ["dev --machines 2 -f missing.toml", 3, "missing.toml"],
])("%s changes nothing", async (line, code, names) => {
  expect(await mac(line)).toMatchObject({ code, err: expect.stringContaining(names) });
  expect(await log().catch(() => "")).not.toMatch(/^(run|network create)/m);
});

it("without an image, or with another context of that name, it says what to do", async () => {
  await rm(join(home, "image"));
  expect(await mac("dev --machines 2")).toMatchObject({
    code: 3,
    err: expect.stringContaining("--image FILE"),
  });
  await mac("context add dev ssh://root@m1");
  expect(await mac("dev --machines 2")).toMatchObject({
    code: 3,
    err: expect.stringContaining("context rm dev"),
  });
});

it("without Docker it says so", async () => {
  await writeFile(
    join(home, "docker"),
    "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2; exit 1\n",
  );
  expect(await mac("dev --machines 2")).toMatchObject({
    code: 3,
    err: expect.stringContaining("docker version"),
  });
});

it("machines have fixed addresses in the network that Docker chose", () => {
  expect([addressOf("172.30.0.0/16", 1), addressOf("192.168.32.0/20", 16)]).toEqual([
    "172.30.0.11",
    "192.168.32.26",
  ]);
});
