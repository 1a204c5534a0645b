import { expect, test } from "vitest";
import type { Commit, ServiceSpec } from "../model/commit.ts";
import { normalise } from "./normalise.ts";
import { parseManifest } from "./parse.ts";
import { renderManifest } from "./render.ts";

test("a commit renders to a manifest that means the same", () => {
  const text = `
namespace = "prod"
[services.web]
image = "nginx:1"
entrypoint = ["/sbin/start"]
command = ["serve", "--fast"]
working_dir = "/srv"
stop_signal = "SIGQUIT"
env = { A = "1", ODD = "a\\tb\\nc\\u009b\\u007f\\"", URL = { secret = "db-url" } }
replicas = 3
ports = { http = 80, pg = 5432 }
routes = [{ host = "a.b", path = "/x", port = "http" }, { tcp = 9000, port = "pg" }, { udp = 9000, port = "pg" },
  { host = "old.b", redirect = "https://a.b", status = 301, tls = true }, { host = "older.b", redirect = "/y", path = "/x", tls = true, http = "serve" },
  { host = "api.b", path = "/api", port = "http", basic_auth = { secret = "team" }, strip_prefix = "/api", add_prefix = "/v2", methods = ["GET"], allow = ["10.0.0.0/8"], deny = ["10.1.0.0/16"], sticky = "cookie", compression = true, headers = { request = { X-A = "\\"1" }, response = { X-B = "" } }, limits = { body = "20M", rate = "100/m", timeout = "90s", connections = 5 } },
  { host = "sse.b", port = "http", limits = { timeout = "none", rate = "3/h" } }]
ready = { http = "/healthz", port = "http", host = "a.b", headers = { X-A = "1" }, status = [200, 204], timeout = "5s" }
drain = "1500ms"
stop_grace = "2m"
after = ["migrate"]
resources = { cpus = 0.5, memory = "256M" }
constraints = { region = "eu", machines = ["m2", "m1"], arch = "arm64" }
update = "stop-first"
[services.db]
image = "postgres:16"
volumes = { pgdata = "/var/lib/postgresql/data" }
[services.files]
image = "nginx:1"
replicas = 2
volumes = { uploads = "/srv" }
update = "start-first"
[services.agent]
image = "agent"
placement = "every-machine"
ready = { settle = "3s", timeout = "1m" }
user = "nobody"
[jobs.migrate]
image = "nginx:1"
timeout = "1h"
[volumes.pgdata]
quota = "20G"
recordsize = "16K"
[volumes.uploads]
scope = "shared"
[volumes.spare]
`;
  const first = parseManifest(text, "toml");
  if (!first.ok) throw new Error(JSON.stringify(first.refusals));
  const normal = normalise(first.manifest);
  const commit = {
    namespace: "prod",
    services: Object.fromEntries(
      Object.entries(normal.services).map(([name, { image: ref = "", ...draft }]) => [
        name,
        { revision: "", spec: { ...draft, image: { ref, digest: "sha256:1" } } as unknown as ServiceSpec },
      ]),
    ),
    jobs: Object.fromEntries(
      Object.entries(normal.jobs).map(([name, { image: ref = "", ...draft }]) => [
        name,
        { revision: "", spec: { ...draft, image: { ref, digest: "sha256:1" } } },
      ]),
    ),
    volumes: Object.entries(normal.volumes).map(([name, spec]) => ({ name, spec })),
  } as unknown as Commit;
  const rendered = renderManifest(commit);
  expect(rendered.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
  const again = parseManifest(rendered, "toml");
  expect(again.ok && normalise(again.manifest)).toEqual(normal);
});
