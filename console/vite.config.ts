import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Built into the Python package that serves it; relative addresses, no files from elsewhere.
export default defineConfig({
  plugins: [react()],
  base: "./",
  build: { outDir: "../review/console", emptyOutDir: true, chunkSizeWarningLimit: 800, license: true },
  server: { proxy: { "/v1": "http://127.0.0.1:8321" } },
});
