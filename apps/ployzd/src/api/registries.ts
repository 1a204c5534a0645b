import type { Credentials } from "@ployz/images";
import type { RegistryChanged, RegistryList } from "@ployz/primitives/client";
import { secretKey } from "@ployz/primitives/protocol";
import type { Daemon } from "../daemon/daemon.ts";
import { credentialName, registryHost } from "../images/credentials.ts";
import { registryOf } from "../images/registries.ts";
import { printable } from "../operations/request.ts";
import type { ApiRoutes } from "./router.ts";

type RegistryRoutes = "GET /v1/registries" | "PUT /v1/registries" | "DELETE /v1/registries/:host";

export function registryRoutes(daemon: Daemon): Pick<ApiRoutes["json"], RegistryRoutes> {
  return {
    "GET /v1/registries": async (): Promise<RegistryList> => {
      const member = daemon.member();
      const held = new Set((await member.secrets.held()).map(secretKey));
      const facts = (await member.store.facts.list("secret")).map(({ value }) => value);
      const rows = facts.flatMap((record) =>
        record.registry === undefined
          ? []
          : [
              {
                ...record.registry,
                ...{ at: record.at, by: record.by },
                state: held.has(secretKey(record)) ? ("set" as const) : ("lost" as const),
              },
            ],
      );
      return { kind: "registries", registries: rows.sort((a, b) => (a.host < b.host ? -1 : 1)) };
    },
    "PUT /v1/registries": async ({ body, signal }): Promise<RegistryChanged> => {
      const { host: asked, username, password, by } = await body();
      const host = registryHost(asked);
      const member = daemon.member();
      const login: Credentials = { username, password };
      const verified = await (await registryOf(daemon.config, async () => login)).login(host, signal);
      const { changed } = await member.secrets.set({
        ...credentialName(host),
        ...{ value: JSON.stringify(login), private: true, by: printable(by) },
        registry: { host, user: printable(username) },
      });
      return { kind: "registry-set", host, user: username, changed, verified };
    },
    "DELETE /v1/registries/:host": async ({ params }): Promise<RegistryChanged> => {
      const host = registryHost(params.host);
      const { changed } = await daemon.member().secrets.remove(credentialName(host));
      return { kind: "registry-removed", host, changed };
    },
  };
}
