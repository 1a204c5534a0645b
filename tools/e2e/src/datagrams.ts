import { join } from "node:path";
import { createInterface } from "node:readline";
import { spawnStream } from "@ployz/exec";
import type { Lab } from "@ployz/lab";
import { fixtures } from "./cluster.ts";

/** What the server of fixtures/udp answers. */
export interface Echo {
  readonly version: string;
  readonly address: string;
  readonly from: string;
}

export interface Question {
  /** A socket of this name, which keeps its port. Default: a new one. */
  readonly client?: string;
  /** Default: only the question's id. */
  readonly text?: string;
  /** Default 1,500. */
  readonly ms?: number;
}

/** Clients outside of the machines, on the lab's network. */
export interface Datagrams extends AsyncDisposable {
  /** Sends one datagram; `undefined`: no answer in the time. */
  ask(host: string, port: number, question?: Question): Promise<string | undefined>;
  echo(host: string, port: number, question?: Question): Promise<Echo | undefined>;
}

export async function openDatagrams(lab: Lab): Promise<Datagrams> {
  const { netns } = await lab.info();
  const program = spawnStream("nsenter", [
    `--net=/run/netns/${netns}`,
    process.execPath,
    join(fixtures, "udp-client.mjs"),
  ]);
  const waiting = new Map<string, (answer: string | undefined) => void>();
  createInterface({ input: program.stdout }).on("line", (line) => {
    const { id, answer } = JSON.parse(line) as { readonly id: string; readonly answer?: string };
    waiting.get(id)?.(answer);
    waiting.delete(id);
  });
  let sequence = 0;
  const ask: Datagrams["ask"] = (host, port, { client, text, ms = 1_500 } = {}) =>
    new Promise((resolve) => {
      const id = `n${++sequence}.`;
      waiting.set(id, resolve);
      const question = { id, client: client ?? id, host, port, ms, ...(text !== undefined && { text }) };
      program.stdin.write(`${JSON.stringify(question)}\n`);
    });
  return {
    ask,
    async echo(host, port, question) {
      const answer = await ask(host, port, question);
      return answer?.startsWith("{") ? (JSON.parse(answer) as Echo) : undefined;
    },
    async [Symbol.asyncDispose]() {
      program.kill();
      await program.done.catch(() => undefined);
    },
  };
}
