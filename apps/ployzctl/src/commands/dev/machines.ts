import { access } from "node:fs/promises";
import type { Context, Input } from "../../command.ts";
import { openContext } from "../../context.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import type { Outcome } from "../../operation/follow.ts";
import { installedVersion } from "../../version.ts";
import { CLUSTER, listensOf, reachedAt } from "./dev.ts";
import { keepDevContext, needFreeContext } from "./dev-context.ts";
import {
  addressOf,
  createMachine,
  createNetwork,
  type DevContainer,
  devContainers,
  docker,
  inside,
  networkSubnet,
  removeMachines,
  removeNetwork,
  startMachine,
} from "./docker.ts";
import type { DevMachines } from "./documents.ts";

const MOST = 16;
const LISTEN = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:]+\]):\d{1,5}$/;
const RUNS_ON = ["--zfs-root", "ployz-dev/ployz", "--runtime", "host"];
const KEY = "/root/.ssh/id_ed25519";

interface Wanted {
  readonly there: readonly DevContainer[];
  readonly missing: readonly number[];
  readonly image: string;
  readonly listens: readonly string[];
}

/** A cluster of several machines, in containers of this computer's Docker. */
export async function devMachines(
  context: Context,
  input: Input,
  count: number,
): Promise<DevMachines | Outcome> {
  if (!Number.isInteger(count) || count < 1 || count > MOST)
    throw usage(`--machines: ${count} is not a number from 1 to ${MOST}`, "ployzctl dev --machines 3");
  const listens = listensOf(input.list("gateway-listen"), undefined);
  const wrong = listens.find((listen) => !LISTEN.test(listen));
  if (wrong !== undefined)
    throw usage(
      `--gateway-listen: ${JSON.stringify(wrong)} is not ADDRESS:PORT`,
      "for example 127.0.0.1:8080",
    );
  const file = input.text("file");
  if (file !== undefined) await needFile(file);
  await needFreeContext(context);
  const there = await devContainers();
  if (there.length > count)
    throw new PloyzError({
      code: "machines_left",
      message: `--machines: dev has ${there.length} machines already`,
      hint: "to begin again: ployzctl dev down",
    });
  const missing = Array.from({ length: count - there.length }, (_, at) => there.length + at + 1);
  const image = missing.length === 0 ? "" : await findImage(context, input.text("image"));
  const names = await prepared(context, { there, missing, image, listens });
  await formCluster(context, names);
  await keepDevContext(context, names);
  const document = {
    ...{ kind: "dev-machines" as const, context: CLUSTER, gateway: reachedAt(listens).url },
    machines: (await devContainers()).map(({ machine, container, running }) => ({
      machine,
      container,
      running,
    })),
  };
  return file === undefined ? document : ((await deploy(context, file)) ?? document);
}

const needFile = (file: string): Promise<void> =>
  access(file).catch(() => {
    throw new PloyzError({ code: "file_unreadable", message: `--file: ${file} cannot be read` });
  });

/** The outcome, unless all went well. */
async function deploy({ globals, terminal }: Context, file: string): Promise<Outcome | undefined> {
  const { deployFile } = await import("../deploy/deploy.ts");
  const there = openContext({ ...globals, context: CLUSTER }, terminal);
  try {
    const outcome = await deployFile(there, {
      ...{ files: [file], settings: [], envFiles: [], preview: false, yes: true },
    });
    return outcome.kind === "operation" && outcome.state === "done" ? undefined : outcome;
  } finally {
    there.progress.end();
    there.close();
  }
}

/** The image's name: of a file that is loaded, of an image that Docker has or finds, else that of this release. */
async function findImage(context: Context, given: string | undefined): Promise<string> {
  const isFile =
    given !== undefined &&
    (await access(given).then(
      () => true,
      () => false,
    ));
  if (isFile) {
    context.progress.note(`loading ${given}`);
    const loaded = await docker(["load", "--quiet", "--input", given], { timeoutMs: 600_000 });
    const [, name] = /^Loaded image(?: ID)?: (\S+)$/m.exec(loaded) ?? [];
    if (name !== undefined) return name;
    throw new PloyzError({ code: "machine_image_missing", message: `--image: ${given} holds no image` });
  }
  const name = given ?? `ployz-machine:${installedVersion().version}`;
  const known = await docker(["image", "ls", "--quiet", "--filter", `reference=${name}`]);
  if (known !== "") return name;
  if (given === undefined)
    throw new PloyzError({
      code: "machine_image_missing",
      message: `Docker has no image ${name}`,
      hint: `download ployz-machine-${installedVersion().version}-linux-ARCH.tar.gz of the release, and name it: --image FILE`,
    });
  context.progress.note(`pulling ${name}`);
  await docker(["pull", "--quiet", name], { timeoutMs: 600_000 });
  return name;
}

/** Containers that booted. On failure, those that this run made are gone. */
async function prepared(
  context: Context,
  { there, missing, image, listens }: Wanted,
): Promise<readonly string[]> {
  const stopped = there.filter(({ running }) => !running);
  if (stopped.length > 0)
    context.progress.note(`starting ${stopped.map(({ machine }) => machine).join(", ")}`);
  await Promise.all(stopped.map(({ machine }) => startMachine(machine)));
  const names = missing.map((number) => `m${number}`);
  if (names.length > 0) {
    context.progress.note(`creating ${names.join(", ")}`);
    const known = await networkSubnet();
    const subnet = known ?? (await createNetwork());
    const made = await Promise.allSettled(
      missing.map((number) =>
        createMachine(`m${number}`, {
          ...{ image, address: addressOf(subnet, number) },
          publish: number === 1 ? listens : [],
        }),
      ),
    );
    const failed = made.find((one) => one.status === "rejected");
    if (failed !== undefined) {
      await removeMachines(names);
      if (known === undefined) await removeNetwork();
      throw failed.reason;
    }
  }
  return [...there.map(({ machine }) => machine), ...names];
}

const isMember = async (machine: string): Promise<boolean> =>
  (await inside(machine, ["sh", "-c", "[ ! -e /var/lib/ployz/membership.json ] || echo yes"])) === "yes";

/** The first machine makes the cluster, and adds the others as one adds servers. */
async function formCluster(context: Context, [first = "", ...others]: readonly string[]): Promise<void> {
  if (!(await isMember(first))) {
    context.progress.note(`creating the cluster ${CLUSTER} on ${first}`);
    await inside(first, ["ployzctl", "daemon", "install", ...RUNS_ON, "--gateway-listen", "0.0.0.0:80"]);
    await inside(first, ["ployzctl", "mesh", "init", CLUSTER]);
  }
  const outside = await Promise.all(others.map(async (name) => ((await isMember(name)) ? [] : [name])));
  const joining = outside.flat();
  if (joining.length === 0) return;
  context.progress.note(`adding ${joining.join(", ")}`);
  await inside(first, ["sh", "-c", `[ -e ${KEY} ] || ssh-keygen -q -t ed25519 -N '' -f ${KEY}`]);
  const key = await inside(first, ["cat", `${KEY}.pub`]);
  const login = "mkdir -p -m 700 /root/.ssh && cat >/root/.ssh/authorized_keys";
  await Promise.all(joining.map((name) => inside(name, ["sh", "-c", login], { input: `${key}\n` })));
  const targets = joining.map((name) => `root@${name}`);
  await inside(first, ["ployzctl", "machine", "add", ...targets, "-i", KEY, "--yes", ...RUNS_ON]);
}
