import { usage } from "../errors.ts";

/** A machine as ssh(1) takes it: a name may be an alias of `~/.ssh/config`, whose settings then hold. */
export interface SshHost {
  readonly user?: string;
  readonly host: string;
  readonly port?: number;
}

/** A container of this computer's Docker that runs ployzd. */
export interface ContainerHost {
  readonly container: string;
}

export type RemoteHost = SshHost | ContainerHost;

const CONTAINER = /^docker:\/\/([A-Za-z0-9][A-Za-z0-9_.-]{0,127})\/?$/;

/** Reads a host as {@link needSshHost}, or `docker://CONTAINER`. @throws PloyzError `usage`, naming the field. */
export function needHost(field: string, text: string): RemoteHost {
  const [, container] = CONTAINER.exec(text) ?? [];
  return container === undefined ? needSshHost(field, text) : { container };
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

/** One way to write a host: `ssh://user@host:port`, or `docker://CONTAINER`. */
export const hostText = (remote: RemoteHost): string =>
  "container" in remote ? `docker://${remote.container}` : sshText(remote);

const sshText = ({ user, host, port }: SshHost): string =>
  `ssh://${user === undefined ? "" : `${user}@`}${host.includes(":") ? `[${host}]` : host}${port === undefined ? "" : `:${port}`}`;
