import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, spawnStream } from "@ployz/exec";
import { type BenchLab, withLab } from "../lab.ts";
import { compare, type Variant } from "../measure.ts";
import type { Suite } from "../suite.ts";

const MIB = 110;
const PORT = 5000;
/** A root of busybox, a layer of noise, and a small layer on it: nothing of it is on the other machine. */
const MAKE = `d=$(mktemp -d); cp /bin/busybox $d/; head -c ${MIB}M /dev/urandom >$d/noise; date +%N >$d/small
printf 'FROM scratch\\nCOPY busybox /bin/busybox\\nCOPY noise /noise\\nCOPY small /small\\nCMD ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/"]\\n' >$d/Dockerfile
docker build -q -t "$0" $d >/dev/null; rm -r $d`;
/** The same layers as the image `$1`, and one of a few bytes more. */
const CHANGE = `d=$(mktemp -d); date +%N >$d/small; printf "FROM $1\\nCOPY small /small\\n" >$d/Dockerfile
docker build -q -t "$0" $d >/dev/null; rm -r $d`;
const FORGET = `docker rmi -f $(docker images -q --filter reference="$0") >/dev/null 2>&1 || true`;

/** Two machines with Docker; an image that one has is brought to the other's engine. */
export const imageSuite: Suite = ({ rounds, progress }) =>
  withLab({ docker: true, machines: 2, progress }, async (lab) => {
    await lab.startCluster("docker");
    const key = ["--identity", "/root/.ssh/id_ed25519", "--accept-new-host-key"];
    await lab.sh(["ployzctl", "machine", "add", "root@m2", ...key], { timeoutMs: 300_000 });
    await using registry = await openRegistry(lab);
    let count = 0;
    const nameOf = (prefix: string) => `${prefix}bench/app:v${++count}`;
    const fresh = async (prefix: string) => {
      const name = nameOf(prefix);
      await lab.sh(["sh", "-ec", MAKE, name], { timeoutMs: 300_000 });
      return name;
    };
    /** Of an image that the other machine has. */
    const changed = async (prefix: string) => {
      const name = nameOf(prefix);
      await lab.sh(["sh", "-ec", CHANGE, name, `${prefix}bench/app:base`], { timeoutMs: 300_000 });
      return name;
    };
    const variant = (
      name: string,
      prefix: string,
      work: (image: string) => Promise<unknown>,
      prepare: (image: string) => Promise<unknown> = async () => {},
      make = fresh,
    ): Variant => ({
      name,
      async sample() {
        const image = await make(prefix);
        await prepare(image);
        const start = performance.now();
        await work(image);
        const time = performance.now() - start;
        await lab.on(2, ["docker", "image", "inspect", "-f", "x", image]);
        for (const machine of [1, 2]) await lab.on(machine, ["sh", "-c", FORGET, image]);
        return { time };
      },
    });
    const long = { timeoutMs: 600_000 };
    const push = (image: string) => lab.sh(["ployzctl", "image", "push", image], long);
    const distribute = (image: string) =>
      lab.sh(["ployzctl", "image", "distribute", image, "--to", "m2"], long);
    const pushed = (image: string) => lab.sh(["docker", "push", "-q", image], long);
    const pull = (image: string) => lab.on(2, ["docker", "pull", "-q", image], long);
    const ssh = `docker save "$0" | ssh -i /root/.ssh/id_ed25519 -o StrictHostKeyChecking=no root@m2 docker load >/dev/null`;
    const saved = "docker save over ssh to docker load";
    const cold = async (image: string) => {
      const manifest = `namespace = "bench"\n[services.app]\nimage = "${image}"\nports = { http = 8080 }\nready = { http = "/small", port = "http", timeout = "60s" }\ndrain = "0s"\nconstraints = { machines = ["m2"] }\n`;
      await lab.sh(["sh", "-c", "cat >/root/bench.toml"], { input: manifest });
      await lab.sh(["ployzctl", "deploy", "-f", "/root/bench.toml", "--yes"], long);
    };
    const throughRegistry = async (image: string) => {
      await pushed(image);
      await pull(image);
    };
    const throughPloyz = async (image: string) => {
      await push(image);
      await distribute(image);
    };
    const metrics = [{ name: "time", unit: "ms", better: "lower" }] as const;
    const remote = `${registry.host}/`;
    const whole = await compare({
      title: `An image of ${MIB} MB from one engine to another`,
      variants: [
        variant(saved, "", (image) => lab.sh(["sh", "-ec", ssh, image], long)),
        variant("a registry: docker push and docker pull", remote, throughRegistry),
        variant("a registry: docker pull alone", remote, pull, pushed),
        variant("Ployz: image push and image distribute", "", throughPloyz),
        variant("Ployz: image distribute alone", "", distribute, push),
        variant("Ployz: deploy of one that only the other machine has", "", cold, push),
      ],
      ...{ metrics, baseline: saved, rounds, progress },
      notes: [
        "Of the image nothing is on the other machine; the deploy also starts one instance and waits until it is ready.",
      ],
    });
    for (const prefix of ["", remote]) {
      const base = `${prefix}bench/app:base`;
      await lab.sh(["sh", "-ec", MAKE, base], long);
      await (prefix === "" ? throughPloyz(base) : throughRegistry(base));
    }
    const next = await compare({
      title: `A version of it with one small layer more, from one engine to another`,
      variants: [
        variant(saved, "", (image) => lab.sh(["sh", "-ec", ssh, image], long), undefined, changed),
        variant("a registry: docker push and docker pull", remote, throughRegistry, undefined, changed),
        variant("Ployz: image push and image distribute", "", throughPloyz, undefined, changed),
        variant("Ployz: image distribute alone", "", distribute, push, changed),
      ],
      ...{ metrics, baseline: saved, rounds, progress },
      notes: [
        "docker push sends the layers that the registry lacks, docker pull takes those that the engine lacks.",
      ],
    });
    return [whole, next];
  });

/** A registry with TLS beside the machines, which both trust. */
async function openRegistry(lab: BenchLab) {
  const dir = await mkdtemp(join(tmpdir(), "ployz-bench-registry-"));
  const address = (
    await lab.sh(["sh", "-c", "ip route | sed -n 's/^default via \\([0-9.]*\\).*/\\1/p'"])
  ).stdout.trim();
  const host = `${address}:${PORT}`;
  const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
  await run("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
    ...["-subj", "/CN=registry", "-addext", `subjectAltName=IP:${address}`, "-keyout", key, "-out", cert],
  ]);
  const config = {
    ...{ version: "0.1", log: { level: "error" } },
    storage: { filesystem: { rootdirectory: join(dir, "data") } },
    http: { addr: host, tls: { certificate: cert, key } },
  };
  await writeFile(join(dir, "config.yml"), JSON.stringify(config));
  const trusted = `mkdir -p /etc/docker/certs.d/${host} && cat >/etc/docker/certs.d/${host}/ca.crt`;
  for (const machine of [1, 2])
    await lab.on(machine, ["sh", "-c", trusted], { input: await readFile(cert, "utf8") });
  const server = spawnStream("nsenter", [
    ...["--net=/run/netns/plab-bench", "docker-registry", "serve", join(dir, "config.yml")],
  ]);
  server.done.catch(() => {}); // it ends with the suite
  return {
    host,
    async [Symbol.asyncDispose]() {
      server.kill("SIGTERM");
      await server.done.catch(() => {});
      await rm(dir, { recursive: true, force: true });
    },
  };
}
