import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, spawnStream, waitFor } from "@ployz/exec";
import type { Lab } from "@ployz/lab";

/** An ACME server (pebble) beside the machines of a lab, with a name server that knows every name as machine 1, or as `addressOf` says. */
export interface Authority extends AsyncDisposable {
  readonly directory: string;
  /** PEM of the root of its own HTTPS server. */
  readonly root: string;
  /** PEM of the root of what it issues. */
  issuedBy(): Promise<string>;
  /** From now on the name has this address. */
  point(host: string, address: string): Promise<void>;
}

export interface AuthorityOptions {
  /** Of certificates, in seconds. */
  readonly lifetime?: number;
  /** Names that it refuses. */
  readonly refused?: readonly string[];
}

export async function openAuthority(
  lab: Lab,
  { lifetime, refused = [] }: AuthorityOptions = {},
): Promise<Authority> {
  const dir = await mkdtemp(join(tmpdir(), "ployz-authority-"));
  const address = lab.clientAddress;
  const inLab = ["nsenter", `--net=/run/netns/plab-${lab.name}`] as const;
  const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
  await run("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
    ...["-subj", "/CN=pebble", "-addext", `subjectAltName=IP:${address}`, "-keyout", key, "-out", cert],
  ]);
  const config = join(dir, "pebble.json");
  await writeFile(
    config,
    JSON.stringify({
      pebble: {
        ...{ listenAddress: `${address}:14000`, managementListenAddress: `${address}:15000` },
        ...{ certificate: cert, privateKey: key, httpPort: 80, tlsPort: 443, ocspResponderURL: "" },
        ...{ externalAccountBindingRequired: false, domainBlocklist: refused },
        ...(lifetime !== undefined && { certificateValidityPeriod: lifetime }),
      },
    }),
  );
  const start = (program: string, args: readonly string[], env = {}) => {
    const child = spawnStream(inLab[0], [inLab[1], program, ...args], { env });
    child.stdout.resume();
    child.done.catch(() => {}); // it ends with the test
    return child;
  };
  const names = start("pebble-challtestsrv", [
    ...["-defaultIPv4", lab.addresses[0] ?? "", "-defaultIPv6", "", "-dns01", `${address}:8053`],
    ...["-http01", "", "-https01", "", "-tlsalpn01", "", "-management", `${address}:8055`],
  ]);
  const server = start("pebble", ["-config", config, "-dnsserver", `${address}:8053`], {
    PEBBLE_VA_NOSLEEP: "1",
    // It refuses some good nonces by itself.
    PEBBLE_WFE_NONCEREJECT: "20",
  });
  const curl = async (url: string, ...more: readonly string[]): Promise<string> =>
    (await run(inLab[0], [inLab[1], "curl", "-fsS", "--cacert", cert, ...more, url])).stdout;
  const directory = `https://${address}:14000/dir`;
  await waitFor("the authority", () => curl(directory).then(Boolean, () => undefined), {
    timeoutMs: 20_000,
    intervalMs: 100,
  });
  return {
    directory,
    root: await readFile(cert, "utf8"),
    issuedBy: () => curl(`https://${address}:15000/roots/0`),
    point: async (host, to) =>
      void (await curl(`http://${address}:8055/add-a`, ...["-d", JSON.stringify({ host, addresses: [to] })])),
    async [Symbol.asyncDispose]() {
      for (const child of [server, names]) {
        child.kill("SIGTERM");
        await child.done.catch(() => {});
      }
      await rm(dir, { recursive: true, force: true });
    },
  };
}
