import { expect, test } from "vitest";
import { accessOf } from "./credentials.ts";

const at = (url: string) => ({ name: "offsite", url, secret: { namespace: "ops", name: "keys" } });
const S3 = "password=hush hush\nAWS_ACCESS_KEY_ID=AKIA1234\nAWS_SECRET_ACCESS_KEY=wJalr=tail\n";

test("restic gets the repository and its secrets by the environment", () => {
  const { env, hidden } = accessOf(at("s3:https://s3.example.com/bucket"), `# keys\n\n${S3}`);
  expect(env).toEqual({
    RESTIC_REPOSITORY: "s3:https://s3.example.com/bucket",
    RESTIC_PASSWORD: "hush hush",
    AWS_ACCESS_KEY_ID: "AKIA1234",
    AWS_SECRET_ACCESS_KEY: "wJalr=tail",
  });
  expect(hidden).toContain("hush hush");
  expect(hidden).toContain("wJalr=tail");
});

test("URLs become restic's own", () => {
  const of = (url: string, text = "password=x1234") => accessOf(at(url), text).env.RESTIC_REPOSITORY;
  expect(of("s3://acme-backups/prod", S3)).toBe("s3:s3.amazonaws.com/acme-backups/prod");
  expect(of("s3://minio.test:9000/bucket", S3)).toBe("s3:minio.test:9000/bucket");
  expect(of("file:/srv/backups")).toBe("/srv/backups");
  expect(of("rest:https://host:8000/", "password=x\nrest_username=me\nrest_password=a/b@c")).toBe(
    "rest:https://me:a%2Fb%40c@host:8000/",
  );
});

test("a private key keeps its lines, and known hosts may have several", () => {
  const key = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\nBBBB\n-----END OPENSSH PRIVATE KEY-----";
  const text = `ssh_key=${key}\npassword=x\nssh_known_hosts=nas ssh-ed25519 A\nssh_known_hosts=nas ssh-rsa B\n`;
  expect(accessOf(at("sftp://backup@nas:2222//srv/ployz"), text).ssh).toEqual({
    destination: ["-p", "2222", "backup@nas"],
    key: `${key}\n`,
    knownHosts: "nas ssh-ed25519 A\nnas ssh-rsa B\n",
  });
  const of = (url: string) => accessOf(at(url), "password=x").ssh?.destination;
  expect(of("sftp:backup@nas:/srv")).toEqual(["backup@nas"]);
  // Without slashes, the path follows the colon.
  expect(of("sftp:backup@nas:2222/srv")).toEqual(["backup@nas"]);
});

test("a missing or unknown key is named, and no value is shown", () => {
  const failure = (url: string, text: string) => {
    try {
      accessOf(at(url), text);
    } catch (error) {
      return error as { code: string; message: string; hint: string };
    }
    throw new Error("it was taken");
  };
  expect(failure("file:/srv", "AWS_ACCESS_KEY_ID=AKIA1234\npassword=x")).toMatchObject({
    code: "repository_secret_invalid",
    message: expect.stringContaining("AWS_ACCESS_KEY_ID"),
  });
  expect(failure("file:/srv", "").message).toContain("has no password");
  expect(failure("s3://bucket", "password=x").message).toContain("has no AWS_ACCESS_KEY_ID");
  // Node quotes the value when it refuses it.
  expect(failure("file:/srv", "password=hush\0hush").message).toMatch(/has a NUL byte in password$/);
  const bare = failure("file:/srv", "only-a-password");
  expect(`${bare.message}${bare.hint}`).not.toContain("only-a-password");
});
