import { branch, deployPrimitive, parseManifest } from "@ployz/primitives";
import { createMemoryCluster } from "@ployz/primitives/testing";

const cluster = await createMemoryCluster({
  machines: ["m1", "m2"],
  images: ["shop/web:1", "postgres:17"],
});
const parsed = parseManifest(
  `
  namespace = "prod"
  [services.web]
  image = "shop/web:1"
  ports = { http = 8080 }
  routes = [{ host = "www.example.com" }]
  [services.db]
  image = "postgres:17"
  volumes = { data = "/var/lib/postgresql/data" }
  [volumes.data]
  quota = "20G"`,
  "toml",
);
if (!parsed.ok) throw new Error(parsed.refusals[0]?.message);
export const deployed = await cluster.run(deployPrimitive, {
  input: { manifest: parsed.manifest },
  mode: "apply",
});

const input = { source: "prod", target: "pr-42", volumeMode: "branch" } as const;
export const preview = await cluster.run(branch, { input, mode: "preview" });
if (preview.kind === "plan") for (const { title } of preview.prepare) console.log(title);

export const branched = await cluster.run(branch, { input, mode: "apply" });
export const copy = await cluster.commit("pr-42");
