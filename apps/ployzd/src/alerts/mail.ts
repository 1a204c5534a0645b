import { createTransport } from "nodemailer";
import { type Message, textOf, titleOf } from "./message.ts";

/** Parts of `smtp://USER:PASSWORD@HOST:PORT/?from=ADDRESS&to=ADDRESS,ADDRESS`, or `smtps://…` for TLS from the start. */
export interface MailTarget {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  readonly auth?: { readonly user: string; readonly pass: string };
  readonly from: string;
  readonly to: readonly string[];
}

/** A submission port by default (RFC 8314). */
const PORTS = { "smtp:": 587, "smtps:": 465 } as const;

/** Pure. `undefined`: no host, sender or recipient. */
export function mailTarget(text: string): MailTarget | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "smtp:" && url?.protocol !== "smtps:") return undefined;
  const from = url.searchParams.get("from") ?? "";
  const to = (url.searchParams.get("to") ?? "").split(",").filter((one) => one !== "");
  const good = (address: string) => /^[^\s@<>,;"]+@[^\s@<>,;"]+$/.test(address);
  if (url.hostname === "" || to.length === 0 || ![from, ...to].every(good)) return undefined;
  const [user, pass] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? PORTS[url.protocol] : Number(url.port),
    secure: url.protocol === "smtps:",
    ...(user !== "" && { auth: { user, pass } }),
    ...{ from, to },
  };
}

/** A password goes only over TLS: the server has to offer it then. */
export async function mail(message: Message, target: string, timeoutMs: number): Promise<void> {
  const parsed = mailTarget(target);
  if (parsed === undefined) throw new Error("not a target of mail");
  const { from, to, auth, ...server } = parsed;
  const transport = createTransport({
    ...server,
    ...(auth && { auth, requireTLS: !server.secure }),
    ...{ connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs },
    ...{ disableFileAccess: true, disableUrlAccess: true },
  });
  try {
    await transport.sendMail({
      ...{ from, to: [...to], subject: titleOf(message), text: textOf(message) },
      messageId: `<${message.id}.alert@ployz.invalid>`,
    });
  } finally {
    transport.close();
  }
}
