import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, spawnStream, waitFor } from "@ployz/exec";
import type { Lab } from "@ployz/lab";

/** A registry of images (docker-registry) beside the machines of a lab. */
export interface ImageRegistry extends AsyncDisposable {
  /** Address and port. */
  readonly host: string;
  /** PEM of its certificate. Absent: it speaks plain HTTP. */
  readonly ca: string | undefined;
  /** Where its content is. */
  readonly data: string;
  /** The paths of all GETs that it has answered with 200 or 206. */
  served(): readonly string[];
}

export const LOGIN = { username: "bot", password: "s3cret pass" } as const;
/** bcrypt of the password. */
const HASH = "$2b$05$abcdefghijklmnopqrstuu1qdcFaS0PtqFUPzaCxLQ8/0lspH0ZEW";

export interface RegistryOptions {
  readonly port: number;
  /** HTTPS, and the login is needed. */
  readonly tls: boolean;
  /** The content of another one. */
  readonly data?: string;
}

export async function openRegistry(
  lab: Lab,
  { port, tls, ...given }: RegistryOptions,
): Promise<ImageRegistry> {
  const dir = await mkdtemp(join(tmpdir(), "ployz-registry-"));
  const data = given.data ?? join(dir, "data");
  const host = `${lab.clientAddress}:${port}`;
  const [key, cert, users] = [join(dir, "key.pem"), join(dir, "cert.pem"), join(dir, "users")];
  await run("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
    ...["-subj", "/CN=registry", "-addext", `subjectAltName=IP:${lab.clientAddress}`],
    ...["-keyout", key, "-out", cert],
  ]);
  await writeFile(users, `${LOGIN.username}:${HASH}\n`);
  const config = {
    version: "0.1",
    log: { accesslog: { disabled: false }, level: "error" },
    storage: { filesystem: { rootdirectory: data } },
    http: { addr: host, ...(tls && { tls: { certificate: cert, key } }) },
    ...(tls && { auth: { htpasswd: { realm: "lab", path: users } } }),
  };
  await writeFile(join(dir, "config.yml"), JSON.stringify(config));
  const inLab = ["nsenter", `--net=/run/netns/plab-${lab.name}`] as const;
  const served: string[] = [];
  const server = spawnStream(inLab[0], [inLab[1], "docker-registry", "serve", join(dir, "config.yml")], {});
  server.done.catch(() => {}); // it ends with the test
  let rest = "";
  server.stdout.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, path = ""] = /"GET (\S+) HTTP\/[0-9.]+" 20[06]/.exec(line) ?? [];
      if (path !== "") served.push(path);
    }
  });
  const url = `${tls ? "https" : "http"}://${host}/v2/`;
  await waitFor(
    "the registry",
    () =>
      run(inLab[0], [inLab[1], "curl", "-sS", "--cacert", cert, url]).then(
        () => true,
        () => undefined,
      ),
    { timeoutMs: 20_000, intervalMs: 100 },
  );
  return {
    ...{ host, data },
    ca: tls ? await readFile(cert, "utf8") : undefined,
    served: () => served,
    async [Symbol.asyncDispose]() {
      server.kill("SIGTERM");
      await server.done.catch(() => {});
      await rm(dir, { recursive: true, force: true });
    },
  };
}
