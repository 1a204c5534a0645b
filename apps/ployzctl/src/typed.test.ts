import { describe, expect, it } from "vitest";
import { COMMANDS } from "./commands/index.ts";
import { findCommand } from "./find-command.ts";
import { parseCommandLine } from "./parse.ts";
import { namedAsTyped, typedAs } from "./typed.ts";

const parsed = (line: string) => {
  const found = findCommand(COMMANDS, line.split(" "));
  if (found.kind === "group") throw new Error(`${line} is no command`);
  return { command: found.command, input: parseCommandLine(found.command, found.rest, {}).input };
};

describe("a field of a refusal is named as the operator typed it", () => {
  it.each([
    ["backup run prod --repository nas", "repository", "--repository"],
    ["backup prune prod --keep-daily 4", "keep.daily", "--keep-daily"],
    ["backup verify prod --all-data", "allData", "--all-data"],
    ["backup verify prod/x --to m2", "machine", "--to"],
    ["backup verify prod/x", "volume", "BACKUP"],
    ["backup restore prod/x@12345678 --as a/b", "target.namespace", "--as"],
    ["backup repository add nas ftp://x", "url", "URL"],
    ["backup repository add nas s3:x/y --secret a/b", "secret", "--secret"],
    ["migrate prod/db --to m2 --rate 1M", "bytesPerSecond", "--rate"],
    ["migrate prod/db --to m2 --max-downtime 1s", "maxDowntimeMs", "--max-downtime"],
    ["volume standby add prod/x --to m2 --every 1s", "everyMs", "--every"],
    ["volume standby rm prod/x --from m2", "machine", "--from"],
    ["deploy service web --namespace prod --replicas 9", "services.web.replicas", "--replicas"],
    ["deploy service web --namespace prod --port a=1", "services.web.ports.a", "--port"],
    ["alert add ops --to http://x --key-file f", "key", "--key-file"],
  ])("%s: %s is %s", (line, field, typed) => {
    const { command, input } = parsed(line);
    expect(typedAs(command, input, field)).toBe(typed);
  });

  it.each([
    ["backup run prod", "repository"],
    ["backup verify prod", "allData"],
    ["deploy -f ployz.toml", "services.web.replicas"],
    ["deploy -f ployz.toml --canary 10", "services.canary.ports.http"],
  ])("%s did not type %s", (line, field) => {
    const { command, input } = parsed(line);
    expect(typedAs(command, input, field)).toBeUndefined();
  });

  it("in the message alone: programs read details.field", () => {
    const { command, input } = parsed("backup repository add nas s3:x/y --secret a/b");
    const error = {
      ...{ code: "secret_missing", message: "secret: there is no secret a/b" },
      details: { field: "secret" },
    };
    const other = { code: "repository_exists", message: "the repository nas is at s3:z" };
    expect(namedAsTyped(command, input, { kind: "error", error, refusals: [error, other] })).toEqual({
      kind: "error",
      error: { ...error, message: "--secret: there is no secret a/b" },
      refusals: [{ ...error, message: "--secret: there is no secret a/b" }, other],
    });
  });
});
