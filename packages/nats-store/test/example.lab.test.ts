import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { stopS6 } from "@ployz/exec";
import { expect, it } from "vitest";
import { oneStore } from "../examples/one-store.ts";
import { freePort, serverBinary } from "./rig.ts";

it("the README's example runs", async () => {
  const dir = await mkdtemp(`${tmpdir()}/ployz-example-`);
  try {
    const place = {
      dir,
      binary: await serverBinary(),
      port: await freePort(),
      monitorPort: await freePort(),
    };
    const { commit, greeting, host } = await oneStore(place);
    expect(commit).toEqual({ committed: true, revision: 1 });
    expect(greeting).toEqual({ hello: "world" });
    await host.remove("ployz-nats");
  } finally {
    await stopS6(`${dir}/services`);
    await rm(dir, { recursive: true, force: true });
  }
});
