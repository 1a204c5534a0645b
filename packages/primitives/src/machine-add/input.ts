import Type from "typebox";
import { inputParser } from "../change/input.ts";
import { label, place, runtime } from "../model/fields.ts";
import { DATASET, SSH_HOST, SSH_TARGET, SSH_USER } from "../model/patterns.ts";
import type { Shape } from "../model/shape.ts";
import type { RemoteTarget } from "../ports/remote.ts";

const target = Type.Union(
  [
    Type.String({ pattern: SSH_TARGET }),
    Type.Object({
      user: Type.String({ pattern: SSH_USER }),
      host: Type.String({ pattern: SSH_HOST }),
      port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
    }),
  ],
  { description: "user@host or user@host:port, such as root@203.0.113.7" },
);

export const Input = Type.Object({
  target,
  name: Type.Optional(label("Default: the target's host name.")),
  region: Type.Optional(place("A region.")),
  az: Type.Optional(place("A zone.")),
  runtime: Type.Optional(runtime),
  zfsRoot: Type.Optional(
    Type.String({
      pattern: DATASET,
      description:
        "The dataset for volumes there; its pool exists. Default: from the machine's configuration.",
    }),
  ),
});

/** As an operator gives it. */
export type MachineAddRequest = Shape<typeof Input>;
/** Input of `machine-add`, parsed. */
export type MachineAddInput = Omit<MachineAddRequest, "target"> & { readonly target: RemoteTarget };

/** Reads `user@host`, `user@host:port` or `user@[v6]:port`. */
export function parseTarget(text: string): RemoteTarget | undefined {
  const { user, v6, host = v6, port = "22" } = new RegExp(SSH_TARGET).exec(text)?.groups ?? {};
  return user === undefined || host === undefined ? undefined : { user, host, port: Number(port) };
}

const shape = inputParser(Input);

/** Checks the request's shape and every name in it; all problems at once. */
export function parseMachineAdd(raw: unknown) {
  const parsed = shape(raw);
  if (!parsed.ok) return parsed;
  const { target: given, ...rest } = parsed.input;
  const target = typeof given === "string" ? parseTarget(given) : { port: 22, ...given };
  if (target === undefined) throw new Error("a target that matches its pattern cannot be read");
  return { ok: true as const, input: { target, ...rest } satisfies MachineAddInput };
}

const formatHost = (host: string) => (host.includes(":") ? `[${host}]` : host);

export const targetText = ({ user, host, port }: RemoteTarget): string =>
  `${user}@${formatHost(host)}${port === 22 ? "" : `:${port}`}`;

/** The lease of adding this target: no two targets share one (a host has neither `_` nor `=`). */
export const scopeOf = ({ host, port }: RemoteTarget): string =>
  `machine-add.${host.toLowerCase().replaceAll(".", "_").replaceAll(":", "=")}-${port}`;
