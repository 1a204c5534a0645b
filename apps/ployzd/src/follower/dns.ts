import type { FollowerWorld, Served } from "./run.ts";

export async function serveDns(_world: FollowerWorld): Promise<Served> {
  throw new Error("todo");
}
