import { defineConfig } from "tsup";

export default defineConfig({
  entry: {
    index: "src/index.ts",
    protocol: "src/protocol.ts",
    host: "src/host.ts",
    "client/index": "src/client/index.ts",
    documents: "src/documents.ts",
    "testing/index": "src/testing/index.ts",
  },
  format: "esm",
  target: "node20",
  sourcemap: true,
});
