import { defineConfig } from "vite";

/** Plain files for ployzctl to serve under a strict content policy: nothing inline, nothing from elsewhere. */
export default defineConfig({
  resolve: { conditions: ["@ployz/source", "import", "module", "browser", "default"] },
  build: {
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    reportCompressedSize: false,
    rollupOptions: {
      output: {
        entryFileNames: "page.js",
        chunkFileNames: "[name].js",
        assetFileNames: "[name][extname]",
      },
    },
  },
});
