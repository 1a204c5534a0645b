import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { AlertChanged, AlertDocument, AlertTested } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { readStdin } from "../../stdin.ts";

const FORMATS = ["json", "slack", "mattermost", "discord", "ntfy", "mail"] as const;
type Format = (typeof FORMATS)[number];
const WEB = /^https?:$/;
const MAIL = /^smtps?:$/;
const MAX_URL = 2_000;
const KEY = { least: 16, most: 1_000 };

const needName = (input: Input): Promise<string> => needLabel("NAME", input.argument("name") ?? "");

export async function add(context: Context, input: Input): Promise<AlertChanged> {
  const name = await needName(input);
  const given = input.text("to");
  if (given === undefined) throw usage("--to URL is missing", `ployzctl alert add ${name} --to URL`);
  const to = given === "-" ? (await readStdin(context, MAX_URL + 2, "URL")).trim() : given;
  const asked = input.text("format") ?? (/^smtps?:/.test(to) ? "mail" : "json");
  const format = FORMATS.find((one) => one === asked);
  if (format === undefined)
    throw usage(
      `--format must be one of ${FORMATS.join(", ")}`,
      "leave it out for json, or for mail by SMTP",
    );
  needUrl(to, format);
  const file = input.text("key-file");
  const key = file === undefined ? undefined : await keyIn(context, file);
  if (key !== undefined && (key.length < KEY.least || key.length > KEY.most))
    throw usage(
      `--key-file: the key has to have ${KEY.least} to ${KEY.most} characters`,
      "openssl rand -hex 32",
    );
  return (await context.client()).request("PUT /v1/alerts/:name", {
    params: { name },
    body: { to, format, ...(key !== undefined && { key }), by: context.terminal.by },
    signal: context.signal,
    idleMs: 60_000,
  });
}

async function keyIn({ terminal }: Context, file: string): Promise<string> {
  const text = await readFile(resolve(terminal.cwd, file), "utf8").catch((error: Error) => {
    throw new PloyzError({ code: "file_unreadable", message: `--key-file: ${error.message}` });
  });
  return text.replace(/\r?\n$/, "");
}

/** Repeats nothing of the URL: its path may be a secret. */
function needUrl(to: string, format: Format): void {
  const url = URL.canParse(to) ? new URL(to) : undefined;
  const mail = format === "mail";
  const wrong =
    url === undefined || !(mail ? MAIL : WEB).test(url.protocol) || !/^[\x21-\x7e]+$/.test(to)
      ? `is not a URL with ${mail ? "smtp or smtps" : "http or https"}`
      : to.length > MAX_URL
        ? `is longer than ${MAX_URL} characters`
        : !mail && (url.username !== "" || url.password !== "")
          ? "has a user or a password, which is not supported"
          : mail && !(url.searchParams.has("from") && url.searchParams.has("to"))
            ? "names no sender or no recipient"
            : undefined;
  if (wrong === undefined) return;
  throw usage(
    `--to ${wrong}`,
    mail
      ? "such as smtps://USER:PASSWORD@mail.example.com/?from=ployz@example.com&to=ops@example.com"
      : "such as https://hooks.example.com/services/TOKEN",
  );
}

export async function show(context: Context, input: Input): Promise<AlertDocument> {
  const name = await needName(input);
  const { alerts, conditions } = await (await context.client()).request("GET /v1/alerts", {
    signal: context.signal,
  });
  const found = alerts.find((row) => row.name === name);
  if (found !== undefined) return { kind: "alert", ...found, conditions };
  throw new PloyzError({
    code: "no_such_alert",
    message: `there is no alert ${name}`,
    hint:
      alerts.length === 0
        ? "add one: ployzctl alert add NAME --to URL"
        : `the alerts are ${alerts.map((row) => row.name).join(", ")}`,
  });
}

export async function test(context: Context, input: Input): Promise<AlertTested> {
  return (await context.client()).request("POST /v1/alerts/:name/test", {
    params: { name: await needName(input) },
    signal: context.signal,
    idleMs: 60_000,
  });
}

export async function remove(context: Context, input: Input): Promise<AlertChanged> {
  return (await context.client()).request("DELETE /v1/alerts/:name", {
    params: { name: await needName(input) },
    signal: context.signal,
    idleMs: 60_000,
  });
}
