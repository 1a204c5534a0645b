import { openProcessRuntime } from "@ployz/runtime";

export async function hello(dir: string) {
  const runtime = await openProcessRuntime({
    root: `${dir}/instances`,
    runDir: `${dir}/run`,
    logDir: `${dir}/log`,
  });
  const network = {
    bridge: "ployz0",
    subnet: "10.101.3.0/24",
    gateway: "10.101.3.1",
    clusterCidr: "10.101.0.0/16",
    mtu: 1420,
  };
  await runtime.ensureNetwork(network);

  await runtime.create({
    id: "prod.hello.0",
    labels: { namespace: "prod", service: "hello" },
    command: ["sh", "-c", 'echo "$GREETING from $(hostname)"'],
    env: { GREETING: "hello" },
    address: "10.101.3.10",
    dns: { server: "10.101.3.1", search: ["prod.cluster.local"] },
    hostname: "hello-0",
    mounts: [],
    resources: { memoryBytes: 64 * 1024 * 1024 },
    restart: "no",
  });
  await runtime.start("prod.hello.0");
  const { exitCode } = await runtime.wait("prod.hello.0", AbortSignal.timeout(10_000));

  const said: string[] = [];
  for await (const { line } of runtime.logs("prod.hello.0")) said.push(line);

  await runtime.remove("prod.hello.0");
  await runtime.removeNetwork(network);
  return { exitCode, said }; // { exitCode: 0, said: ["hello from hello-0"] }
}
