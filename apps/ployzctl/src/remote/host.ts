import { usage } from "../errors.ts";

/** A machine as ssh(1) takes it: a name may be an alias of `~/.ssh/config`, whose settings then hold. */
export interface SshHost {
  readonly user?: string;
  readonly host: string;
  readonly port?: number;
}

const FORM =
  /^(?:ssh:\/\/)?(?:([A-Za-z0-9_][A-Za-z0-9_.-]{0,63})@)?([A-Za-z0-9][A-Za-z0-9_.-]{0,252}|\[[0-9a-fA-F:.]{2,45}\])(?::(\d{1,5}))?\/?$/;

/** Reads `[ssh://][user@]host[:port]`. @throws PloyzError `usage`, naming the field. */
export function needSshHost(field: string, text: string): SshHost {
  const [, user, host, digits] = FORM.exec(text) ?? [];
  const port = digits === undefined ? undefined : Number(digits);
  if (host === undefined || port === 0 || (port ?? 1) > 65_535)
    throw usage(
      `${field}: ${JSON.stringify(text.slice(0, 80))} is not user@machine`,
      "for example ssh://deploy@203.0.113.7, or a Host of ~/.ssh/config",
    );
  return {
    host: host.replace(/^\[|\]$/g, ""),
    ...(user !== undefined && { user }),
    ...(port !== undefined && { port }),
  };
}

/** One way to write a host, `ssh://user@host:port`. */
export const hostText = ({ user, host, port }: SshHost): string =>
  `ssh://${user === undefined ? "" : `${user}@`}${host.includes(":") ? `[${host}]` : host}${port === undefined ? "" : `:${port}`}`;
