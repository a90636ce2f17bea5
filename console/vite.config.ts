import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import { parse } from "yaml";

/** `import x from "some.yaml"`: the categories' names come from the file the gateway itself judges by. */
const yaml: Plugin = {
  name: "yaml",
  transform: (code, id) => (id.endsWith(".yaml") ? { code: `export default ${JSON.stringify(parse(code))}`, map: null } : null),
};

// Built into the Python package that serves it; relative addresses, no files from elsewhere.
export default defineConfig({
  plugins: [yaml, react()],
  base: "./",
  build: {
    outDir: "../review/console",
    emptyOutDir: true,
    chunkSizeWarningLimit: 800,
    license: true,
    cssTarget: ["chrome123", "firefox120", "safari17.5"], // the first with light-dark(), which is written down for older ones wrongly
  },
  server: { proxy: { "/v1": "http://127.0.0.1:8321" }, fs: { allow: [".."] } },
});
